"""Work that is due every k steps, in a sweep: does it cost 1/k of what it costs at each step?"""

from typing import Any

import jax
import jax.numpy as jnp

import gdlab

from ..figures import Figure
from ..timing import Effort, Sample, Turn, in_turns, ratios, timed, times

LANES, SIDE, STEPS = 16, 64, 64
EVERY = (1, 4, 16)
PART = f"{LANES} lanes, {STEPS} steps"
SHARE = "the roots alone"


def running(every: int) -> Turn:
    """A turn of training runs with Shampoo at several learning rates, all in one program."""

    def run(rate: Any) -> Any:
        tx = gdlab.shampoo(rate, every=every)
        params = jnp.eye(SIDE)

        def step(carry, key):
            params, state = carry
            grads = params + 0.1 * jax.random.normal(key, params.shape)
            updates, state = tx.update(grads, state, params)
            return (gdlab.apply_updates(params, updates), state), None

        keys = jax.random.split(jax.random.key(0), STEPS)
        return jax.lax.scan(step, (params, tx.init(params)), keys)[0][0]

    program = jax.jit(jax.vmap(run))
    rates = jnp.logspace(-4, -1, LANES)
    return timed(lambda: program(rates))


def refresh(effort: Effort) -> list[Figure]:
    """The time of a run by k, and what is left of it for the roots.

    A run whose roots are computed at its first step only is taken from all of them.
    """
    turns = {f"every {every}": running(every) for every in (*EVERY, STEPS)}
    samples = in_turns(turns, effort.choose(7, 2), warm_up=1)
    figures = list(times(PART, samples))
    once = samples[f"every {STEPS}"]
    alone = {
        name: [
            Sample(*(max(all_ - rest, 0.0) for all_, rest in zip(both, without, strict=True)))
            for both, without in zip(taken, once, strict=True)
        ]
        for name, taken in samples.items()
    }
    for every in EVERY[1:]:
        figures += ratios(PART, samples, f"every {every}", "every 1")
        # A quarter more than 1/k, for the time of the rest is not known exactly.
        figures += ratios(SHARE, alone, f"every {every}", "every 1", 1.25 / every)
    return figures

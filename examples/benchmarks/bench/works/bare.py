"""An Adam step outside ``jit``, as a notebook takes it."""

from typing import Any

import jax
import jax.numpy as jnp

import gdlab

from ..figures import Figure
from ..processes import in_fresh_process
from ..timing import Effort, Sample, Samples, Turn, in_turns, ratios, timed, times
from .leaves import CONTENDERS, LEAVES, tree

IN_ONE_CALL = ", in one call"
"""A contender that takes its step by `gdlab.apply_gradients`."""
NAMES = ("gdlab, in one call", "gdlab", "optax")
FEW, MANY, FIRST = "a vector of two", f"{LEAVES} arrays", f"the first call on {LEAVES} arrays"
TARGETS = {FEW: 0.05, MANY: 0.12}


def stepping(name: str, params: Any, calls: int = 1) -> Turn:
    """A turn of bare steps: ``update`` and ``apply_updates``."""
    library, tx = CONTENDERS[name.removesuffix(IN_ONE_CALL)]
    grads = jax.tree.map(jnp.ones_like, params)
    carry = [params, tx.init(params)]

    def step() -> Any:
        params, state = carry
        if name.endswith(IN_ONE_CALL):
            carry[:] = gdlab.apply_gradients(tx, grads, state, params)
        else:
            updates, state = tx.update(grads, state, params)
            carry[:] = library.apply_updates(params, updates), state
        return carry

    return timed(step, calls)


def first_call(name: str) -> Sample:
    """The seconds of the first step on many arrays in this process, which must be a new one."""
    stepping(name, jnp.ones(3))()  # so that imports do not count
    return stepping(name, tree(LEAVES, 64))()


def bare(effort: Effort) -> list[Figure]:
    """Bare steps on a small and on a large tree, in turns."""
    taken: dict[str, Samples] = {
        FEW: in_turns(
            {name: stepping(name, jnp.ones(2), calls=10) for name in NAMES}, effort.choose(100, 10)
        ),
        MANY: in_turns(
            {name: stepping(name, tree(LEAVES, 64)) for name in NAMES}, effort.choose(20, 3)
        ),
        FIRST: {name: [] for name in NAMES},
    }
    for _ in range(effort.choose(3, 1)):
        for name in NAMES:
            sample = in_fresh_process("works.bare:first_call", name)
            taken[FIRST][name].append(Sample(*sample))
    figures: list[Figure] = []
    for part, samples in taken.items():
        figures += times(part, samples)
        figures += ratios(part, samples, NAMES[0], "optax", TARGETS.get(part))
        figures += ratios(part, samples, "gdlab", "optax")
    return figures

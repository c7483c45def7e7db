"""Rules that treat every parameter alike, on one long vector: a step is memory traffic."""

import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import gdlab

from ..compiled import compiled_in_place, memory
from ..figures import Figure
from ..processes import worker
from ..timing import Effort, Sample, Turn, in_turns, ratios, stepping, timed, times

PARAMETERS = 32_000_000
"""Not a power of two: arrays of exactly 2²⁷ bytes lie at one offset in the caches."""
QUICK_PARAMETERS = 1_000_000


class Contender(NamedTuple):
    """A way to take a step.

    Attributes:
        init: ``init(params)``, the state at the start.
        step: ``step(params, state, grads)``, the new parameters and the new state.
        dtype: of the parameters and the gradients.
    """

    init: Callable[[Any], Any]
    step: Callable[[Any, Any, Any], tuple[Any, Any]]
    dtype: str = "float32"


class Targets(NamedTuple):
    """What gdlab is to reach.

    Attributes:
        words: the words moved for each parameter, at most.
        temporaries: the words of temporaries for each parameter, at most.
        ratios: the time of a step over that of the peers named, at most.
    """

    words: float
    temporaries: float
    ratios: dict[str, float]


def of_library(library: Any, tx: Any, dtype: str = "float32") -> Contender:
    """The contender that is an optimizer of a library with ``apply_updates``."""

    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return library.apply_updates(params, updates), state

    return Contender(tx.init, step, dtype)


def of_gdlab(tx: gdlab.GradientTransformation, dtype: str = "float32") -> Contender:
    """The contender that is an optimizer of gdlab."""
    return of_library(gdlab, tx, dtype)


def of_optax(tx: optax.GradientTransformation) -> Contender:
    """The contender that is an optimizer of optax."""
    return of_library(optax, tx)


def compare(
    effort: Effort,
    contenders: dict[str, Contender],
    least_words: float,
    targets: dict[str, Targets],
    in_torch: tuple[str, ...] = (),
    baseline: str | None = None,
) -> list[Figure]:
    """Words, temporaries, and the time of a step in turns with the others.

    Beside them runs a copy in place, which reads and writes each word once. The *floor* is the time
    in which it would move ``least_words``: what a step takes that is bound by memory and moves no
    word twice.

    Args:
        effort: how much is measured.
        contenders: by name.
        least_words: what a step has to read and to write, in words for each parameter.
        targets: of the contenders named, most of all of ``"gdlab"``.
        in_torch: the functions of ``torch_steps`` that take turns too, in processes of their own.
        baseline: the contender of gdlab that the others of gdlab are compared with too.
    """
    size = effort.choose(PARAMETERS, QUICK_PARAMETERS)
    # Two thousand draws repeated: making all of them would take longer than measuring.
    draws = jax.random.normal(jax.random.key(0), (2, 2000))
    wide = jnp.tile(draws, size // 2000)
    figures: list[Figure] = []
    turns: dict[str, Turn] = {"copy": _copy(wide[0])}
    for name, contender in contenders.items():
        params, grads = wide.astype(contender.dtype)
        state = jax.jit(contender.init)(params)
        program = compiled_in_place(contender.step, params, state, grads)
        limits = targets.get(name)
        figures += memory(name, program, size, limits and (limits.words, limits.temporaries))
        turns[name] = stepping(program, params, state, grads)
    figures.append(Figure("step", "floor", "words", least_words))
    with ExitStack() as processes:
        for name in in_torch if importlib.util.find_spec("torch") else ():
            turn = worker(f"works.torch_steps:{name}", str(size))
            turns[name.replace("_", " ")] = processes.enter_context(turn)
        samples = in_turns(turns, effort.choose(15, 3))
    samples["floor"] = [Sample(*(x * least_words / 2 for x in each)) for each in samples["copy"]]
    figures += times("step", samples)
    peers = [name for name in turns if name == baseline or not name.startswith(("copy", "gdlab"))]
    for name in list(turns)[1:]:
        wanted = targets[name].ratios if name in targets else {}
        is_ours = name.startswith("gdlab") and name != baseline
        for peer in ["floor", *(peers if is_ours else ())]:
            figures += ratios("step", samples, name, peer, wanted.get(peer))
    return figures


def _copy(params: Any) -> Turn:
    program = jax.jit(jnp.negative, donate_argnums=0).lower(params).compile()
    carry = [jnp.copy(params)]

    def copy() -> Any:
        carry[:] = [program(*carry)]
        return carry

    return timed(copy)

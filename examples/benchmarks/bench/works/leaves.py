"""A jitted Adam step on a tree of 600 arrays: what it costs to trace, to compile and to run."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

import gdlab

from ..compiled import launches
from ..figures import Figure
from ..processes import in_fresh_process
from ..timing import Effort, Sample, Samples, in_turns, ratios, stepping, timed, times

LEAVES = 600
RATE = 1e-3
CONTENDERS: dict[str, tuple[Any, Any]] = {
    "gdlab": (gdlab, gdlab.adam(RATE)),
    "gdlab stacked": (gdlab, gdlab.stacked(gdlab.adam(RATE))),
    "optax": (optax, optax.adam(RATE)),
}
TARGETS = {
    "gdlab": {"trace and lower": 0.3, "compile": 1.0, "step": 1.0},
    "gdlab stacked": {"trace and lower": 0.25, "compile": 0.7, "step": 0.7},
}


def tree(leaves: int, side: int) -> dict[str, jax.Array]:
    """Half of the leaves are matrices and half are vectors, as in a deep network."""
    return {
        f"layer{index // 2}_{'wb'[index % 2]}": jnp.ones((side, side) if index % 2 == 0 else side)
        for index in range(leaves)
    }


def problem(name: str, leaves: int, side: int) -> tuple[Any, tuple[Any, Any, Any]]:
    """A jitted step that overwrites parameters and state, and its arguments."""
    library, tx = CONTENDERS[name]

    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return library.apply_updates(params, updates), state

    params = tree(leaves, side)
    return jax.jit(step, donate_argnums=(0, 1)), (params, tx.init(params), tree(leaves, side))


def trace_and_compile(name: str) -> dict[str, Sample]:
    """The seconds of tracing and of compiling in this process, which must be a new one."""
    step, arguments = problem(name, 2, 5)
    step.lower(*arguments).compile()  # so that imports and the compiler's own start do not count
    step, arguments = problem(name, LEAVES, 64)
    seconds = {}
    lowered = []
    seconds["trace and lower"] = timed(lambda: lowered.append(step.lower(*arguments)))()
    seconds["compile"] = timed(lambda: lowered[0].compile() and None)()
    return seconds


def leaves(effort: Effort) -> list[Figure]:
    """Tracing and compiling in new processes, a step in turns, and its launches."""
    taken: dict[str, Samples] = {part: {} for part in ("trace and lower", "compile")}
    for _ in range(effort.choose(3, 1)):
        for name in CONTENDERS:
            found = in_fresh_process("works.leaves:trace_and_compile", name)
            for part, sample in found.items():
                taken[part].setdefault(name, []).append(Sample(*sample))
    turns, figures = {}, []
    for name in CONTENDERS:
        step, (params, state, grads) = problem(name, LEAVES, 64)
        program = step.lower(params, state, grads).compile()
        figures.append(launches(name, program))
        turns[name] = stepping(program, params, state, grads)
    taken["step"] = in_turns(turns, effort.choose(100, 3))
    for part, samples in taken.items():
        figures += times(part, samples)
        for name in CONTENDERS:
            if name != "optax":
                figures += ratios(part, samples, name, "optax", TARGETS[name][part])
    return figures

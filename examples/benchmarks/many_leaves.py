"""What does a jitted Adam step on a tree of 600 arrays cost to trace, to compile and to run?"""

import json
from typing import Any

import jax
import jax.numpy as jnp
import optax
from _timing import CpuTime, in_fresh_processes, in_turns, options, print_table

import gdlab

LEAVES = 600
LIBRARIES: dict[str, Any] = {"gdlab": gdlab, "optax": optax}


def tree(leaves: int, side: int) -> dict[str, jax.Array]:
    """Half of the leaves are matrices and half are vectors, as in a deep network."""
    return {
        f"layer{index // 2}_{'wb'[index % 2]}": jnp.ones((side, side) if index % 2 == 0 else side)
        for index in range(leaves)
    }


def problem(library: Any, leaves: int, side: int) -> tuple[Any, tuple[Any, Any, Any]]:
    tx = library.adam(1e-3)

    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return library.apply_updates(params, updates), state

    params = tree(leaves, side)
    return jax.jit(step, donate_argnums=(0, 1)), (params, tx.init(params), tree(leaves, side))


def trace_and_compile(name: str) -> None:
    """Report the processor seconds of tracing and compiling in this fresh process."""
    step, arguments = problem(LIBRARIES[name], 2, 5)
    step.lower(*arguments).compile()  # so that imports and the compiler's own start do not count
    step, arguments = problem(LIBRARIES[name], LEAVES, 64)
    with CpuTime() as lowering:
        lowered = step.lower(*arguments)
    with CpuTime() as compiling:
        lowered.compile()
    print(json.dumps({"lower": lowering.seconds, "compile": compiling.seconds}))


def running(name: str) -> Any:
    step, (params, state, grads) = problem(LIBRARIES[name], LEAVES, 64)
    carry = [params, state]

    def run():
        carry[:] = step(*carry, grads)
        jax.block_until_ready(carry)

    return run


def main() -> None:
    given = options(__doc__)
    if given.once:
        trace_and_compile(given.once)
        return
    once = in_fresh_processes(LIBRARIES, rounds=1 if given.quick else 9)
    step = in_turns({name: running(name) for name in LIBRARIES}, rounds=5 if given.quick else 300)
    print(f"Adam on {LEAVES} arrays, jitted")
    print_table(
        [
            ("trace and lower (CPU time)", once["gdlab"]["lower"], once["optax"]["lower"], 0.4),
            ("compile (CPU time)", once["gdlab"]["compile"], once["optax"]["compile"], 1.0),
            ("step", step["gdlab"], step["optax"], 1.0),
        ]
    )


if __name__ == "__main__":
    main()

"""What does a Muon step on the matrices of twelve layers cost, and how long is its program?"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from _timing import in_turns, options, print_table

import gdlab

LAYERS = 12
WIDTH = 128


def tree(layers: int, width: int) -> dict[str, jax.Array]:
    """The matrices of transformer layers: four square ones, and two four times as wide."""
    shapes = {name: (width, width) for name in ("query", "key", "value", "out")}
    shapes |= {"up": (width, 4 * width), "down": (4 * width, width)}
    keys = jax.random.split(jax.random.key(0), layers * len(shapes))
    names = [(layer, name) for layer in range(layers) for name in shapes]
    return {
        f"layer{layer}.{name}": jax.random.normal(key, shapes[name])
        for key, (layer, name) in zip(keys, names, strict=True)
    }


def step_of(tx: Any) -> tuple[Any, tuple[Any, Any, Any]]:
    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return jax.tree.map(jnp.add, params, updates), state

    params = tree(LAYERS, WIDTH)
    return jax.jit(step, donate_argnums=(0, 1)), (params, tx.init(params), tree(LAYERS, WIDTH))


def running(tx: Any) -> Any:
    step, (params, state, grads) = step_of(tx)
    carry = [params, state]

    def run():
        carry[:] = step(*carry, grads)
        jax.block_until_ready(carry)

    return run


def program_size(tx: Any) -> int:
    step, arguments = step_of(tx)
    return len(step.lower(*arguments).as_text())


def main() -> None:
    given = options(__doc__)
    contenders = {
        "gdlab": gdlab.muon(1e-2),
        "gdlab, standard": gdlab.muon(1e-2, iteration="standard"),
        "gdlab, bfloat16": gdlab.muon(1e-2, dtype="bfloat16"),
        "optax": optax.contrib.muon(1e-2),
    }
    rounds = 2 if given.quick else 15
    times = in_turns({name: running(tx) for name, tx in contenders.items()}, rounds)
    sizes = {name: program_size(tx) for name, tx in contenders.items()}
    print(f"Muon on the {6 * LAYERS} matrices of {LAYERS} layers of width {WIDTH}, jitted")
    print_table(
        [
            ("step", times["gdlab"], times["optax"], 1.0),
            ("step, standard iteration", times["gdlab, standard"], times["optax"], None),
            ("step, products in bfloat16", times["gdlab, bfloat16"], times["optax"], None),
        ]
    )
    print(f"StableHLO: {sizes['gdlab']} characters, optax {sizes['optax']}")


if __name__ == "__main__":
    main()

"""What does a bare Adam step cost outside ``jit``, as a notebook takes it?"""

import json
import time
from typing import Any

import jax
import jax.numpy as jnp
from _timing import in_fresh_processes, in_turns, options, print_table
from many_leaves import LEAVES, LIBRARIES, tree


def stepping(library: Any, params: Any) -> Any:
    """A function that takes one step: ``update`` and ``apply_updates``."""
    tx = library.adam(1e-3)
    grads = jax.tree.map(jnp.ones_like, params)
    carry = [params, tx.init(params)]

    def step():
        params, state = carry
        updates, state = tx.update(grads, state, params)
        carry[:] = library.apply_updates(params, updates), state
        jax.block_until_ready(carry)

    return step


def first_call(name: str) -> None:
    """Report how long the first step on many arrays takes in this fresh process."""
    stepping(LIBRARIES[name], jnp.ones(3))()  # so that imports do not count
    step = stepping(LIBRARIES[name], tree(LEAVES, 64))
    start = time.perf_counter()
    step()
    print(json.dumps({"first": time.perf_counter() - start}))


def main() -> None:
    given = options(__doc__)
    if given.once:
        first_call(given.once)
        return
    vector = {name: stepping(library, jnp.ones(2)) for name, library in LIBRARIES.items()}
    many = {name: stepping(library, tree(LEAVES, 64)) for name, library in LIBRARIES.items()}
    first = in_fresh_processes(LIBRARIES, rounds=1 if given.quick else 5)
    few_times = in_turns(vector, rounds=20 if given.quick else 300, calls=10)
    many_times = in_turns(many, rounds=3 if given.quick else 40)
    print("One Adam step, not jitted")
    print_table(
        [
            ("a vector of two", few_times["gdlab"], few_times["optax"], 0.15),
            (f"{LEAVES} arrays", many_times["gdlab"], many_times["optax"], 0.2),
            (f"the first step on {LEAVES}", first["gdlab"]["first"], first["optax"]["first"], None),
        ]
    )


if __name__ == "__main__":
    main()

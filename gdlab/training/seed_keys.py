"""The PRNG keys that belong to a seed."""

from typing import NamedTuple

import jax


class SeedKeys(NamedTuple):
    """The PRNG keys of a seed, the same at all points of a sweep."""

    init: jax.Array
    order: jax.Array
    step: jax.Array


@jax.jit
def seed_keys(key: jax.Array, seeds: jax.Array) -> SeedKeys:
    """The keys of all seeds, with a leading axis of seeds."""
    split = jax.vmap(lambda seed: jax.random.split(jax.random.fold_in(key, seed), 3))(seeds)
    return SeedKeys(split[:, 0], split[:, 1], split[:, 2])

"""Slow copies of parameters."""

import jax
import jax.numpy as jnp

from gdlab.core.structure import Params, is_none


def incremental_update(
    new_tensors: Params, old_tensors: Params, step_size: jax.typing.ArrayLike
) -> Params:
    """A step from the old parameters towards the new ones.

    step_size·new + (1 − step_size)·old

    >>> from gdlab.interop import optax
    >>> optax.incremental_update({"w": 1.0}, {"w": 0.0}, 0.1)
    {'w': 0.1}
    """

    def between(new, old):
        return None if new is None else step_size * new + (1 - step_size) * old

    return jax.tree.map(between, new_tensors, old_tensors, is_leaf=is_none)


def periodic_update(
    new_tensors: Params,
    old_tensors: Params,
    steps: jax.typing.ArrayLike,
    update_period: jax.typing.ArrayLike,
) -> Params:
    """The new parameters at every ``update_period``-th step, and the old ones at the others.

    >>> from gdlab.interop import optax
    >>> optax.periodic_update({"w": 1.0}, {"w": 0.0}, steps=10, update_period=5)
    {'w': Array(1., dtype=float32, weak_type=True)}
    """
    due = jnp.mod(steps, update_period) == 0
    return jax.tree.map(lambda new, old: jnp.where(due, new, old), new_tensors, old_tensors)

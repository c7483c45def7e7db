"""Bounds on the updates: element by element, or on the norm of them all."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import widen
from gdlab.core.transformation import leafwise, transformation


@leafwise
def clip(max_delta: Hyperparameter) -> Any:
    """Bound each element of the updates.

    uₜ = max(−max_delta, min(gₜ, max_delta))

    >>> import jax.numpy as jnp
    >>> from gdlab import clip
    >>> tx = clip(1.0)
    >>> tx.update(jnp.array([0.5, -7.0]), tx.init(jnp.zeros(2)))[0]
    Array([ 0.5, -1. ], dtype=float32)
    """
    return lambda u: jnp.clip(u, -max_delta, max_delta)


@transformation
def clip_by_global_norm(max_norm: Hyperparameter) -> Any:
    """Bound the norm of all updates together, keeping their direction.

    uₜ = gₜ·min(1, max_norm/‖gₜ‖), with the norm over the whole tree, in float32 at least

    If the norm is not finite, only the leaves that made it so are spoiled.

    >>> import jax.numpy as jnp
    >>> from gdlab import clip_by_global_norm
    >>> tx = clip_by_global_norm(1.0)
    >>> updates, _ = tx.update({"a": jnp.array([3.0]), "b": jnp.array([4.0])}, tx.init(None))
    >>> updates
    {'a': Array([0.6], dtype=float32), 'b': Array([0.8], dtype=float32)}

    Source: R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural
    networks, 2013, algorithm 1.
    """

    def update(updates):
        norm = global_norm(updates)
        too_long = norm > max_norm
        factor = jnp.where(too_long, max_norm / jnp.where(too_long, norm, 1), 1)
        return jax.tree.map(lambda u: u * factor.astype(u.real.dtype), updates)

    return update


@jax.jit
def global_norm(tree: Any) -> jax.Array:
    """The Euclidean norm of all elements of a tree, computed in float32 at least.

    ‖g‖ = √Σᵢ|gᵢ|²

    >>> import jax.numpy as jnp
    >>> from gdlab import global_norm
    >>> global_norm({"a": jnp.array([3.0]), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """
    sizes = [jnp.abs(leaf) for leaf in jax.tree.leaves(widen(tree))]
    dtypes = (size.dtype for size in sizes)
    widest = max(dtypes, key=lambda dtype: dtype.itemsize, default=np.dtype(np.float32))

    def norm_in_units_of(unit):
        squares = (jnp.sum((size / unit.astype(size.dtype)) ** 2) for size in sizes)
        total = sum((square.astype(widest) for square in squares), jnp.zeros((), widest))
        return unit * jnp.sqrt(total)

    def of_huge_elements():
        # Their squares overflow, so they are measured by the largest of them.
        each = (jnp.max(size, initial=0).astype(widest) for size in sizes)
        largest = functools.reduce(jnp.maximum, each, jnp.zeros((), widest))
        return jnp.where(jnp.isfinite(largest), norm_in_units_of(largest), largest)

    plain = norm_in_units_of(jnp.ones((), widest))
    return jax.lax.cond(jnp.isinf(plain), of_huge_elements, lambda: plain)

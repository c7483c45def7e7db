"""Bounds on the updates: element by element, or on the norm of them all."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import abs_squared, widen
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


def global_norm(tree: Any) -> jax.Array:
    """The Euclidean norm of all elements of a tree, computed in float32 at least.

    ‖g‖ = √Σᵢ|gᵢ|²

    >>> import jax.numpy as jnp
    >>> from gdlab import global_norm
    >>> global_norm({"a": jnp.array([3.0]), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """
    squares = [jnp.sum(abs_squared(jnp.asarray(leaf))) for leaf in jax.tree.leaves(widen(tree))]
    widest = max(
        (square.dtype for square in squares),
        key=lambda dtype: dtype.itemsize,
        default=np.dtype(np.float32),
    )
    return jnp.sqrt(sum((square.astype(widest) for square in squares), jnp.zeros((), widest)))

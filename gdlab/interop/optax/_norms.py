"""The norm of a whole tree."""

import jax

import gdlab
from gdlab.core.structure import Updates


def global_norm(updates: Updates) -> jax.Array:
    """The Euclidean norm of all elements of a tree: :func:`gdlab.global_norm`.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> optax.global_norm({"a": jnp.array(3.0), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """
    return gdlab.global_norm(updates)

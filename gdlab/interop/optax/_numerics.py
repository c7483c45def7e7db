"""The norm of a tree, and counts that do not overflow."""

import jax
import jax.numpy as jnp

import gdlab
from gdlab.core import numerics
from gdlab.core.structure import Updates


def global_norm(updates: Updates) -> jax.Array:
    """The Euclidean norm of all elements of a tree: :func:`gdlab.global_norm`.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> optax.global_norm({"a": jnp.array(3.0), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """
    return gdlab.global_norm(updates)


def safe_increment(count: jax.typing.ArrayLike) -> jax.Array:
    """Add one to a count, without exceeding the largest number of its dtype.

    Args:
        count: a number, integer or not.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> int(optax.safe_increment(3)), int(optax.safe_increment(jnp.uint8(255)))
    (4, 255)
    """
    count = jnp.asarray(count)
    if jnp.issubdtype(count.dtype, jnp.integer):
        return numerics.safe_increment(count)
    return jnp.minimum(count + 1, jnp.finfo(count.dtype).max)

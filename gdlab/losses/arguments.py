"""The arguments of losses, checked, and products in them that stay finite."""

import jax
import jax.numpy as jnp

from gdlab.core.numerics import widen

Axis = int | tuple[int, ...]


def floating(name: str, values: jax.typing.ArrayLike) -> jax.Array:
    """An argument as real numbers of at least float32.

    Raises:
        TypeError: if it holds integers or complex numbers.
    """
    array = jnp.asarray(values)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must be real floating-point numbers, not {array.dtype}")
    return widen(array)


def beside(name: str, values: jax.typing.ArrayLike, other: jax.Array) -> jax.Array:
    """An argument of the shape and dtype of another one.

    Raises:
        ValueError: if the shapes are not the same: (n,) and (n, 1) would make a matrix.
    """
    array = jnp.asarray(values)
    if array.shape != other.shape:
        raise ValueError(
            f"{name} of shape {array.shape} stand beside an array of shape {other.shape}; "
            "they must be the same"
        )
    return array.astype(other.dtype)


def weighed(weight: jax.Array, value: jax.Array) -> jax.Array:
    """weight·value, and 0 where the weight is 0 and the value infinite."""
    nothing = (weight == 0) & jnp.isinf(value)
    return weight * jnp.where(nothing, 0, value)


def mask_like(
    where: jax.typing.ArrayLike | None, values: jax.Array, axis: Axis | None
) -> jax.Array | None:
    """A mask of the entries that take part, with the axes over which there is none."""
    if where is None:
        return None
    mask = jnp.asarray(where, bool)
    return mask if mask.ndim == values.ndim or axis is None else jnp.expand_dims(mask, axis)

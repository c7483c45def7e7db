"""The arguments of losses, checked, and products in them that stay finite."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.values import real_numbers
from gdlab.core.numerics import widen

Axis = int | tuple[int, ...]


def floating(name: str, values: jax.typing.ArrayLike) -> jax.Array:
    """An argument as real numbers of at least float32.

    Raises:
        TypeError: if it holds integers or complex numbers.
    """
    array = _array(name, values)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must be real floating-point numbers, not {array.dtype}")
    return widen(array)


def beside(name: str, values: jax.typing.ArrayLike, other: jax.Array) -> jax.Array:
    """An argument of the shape and dtype of another one.

    Raises:
        ValueError: if the shapes are not the same: (n,) and (n, 1) would make a matrix.
    """
    array = _array(name, values)
    if array.shape != other.shape:
        raise ValueError(
            f"{name} of shape {array.shape} stand beside an array of shape {other.shape}; "
            "they must be the same"
        )
    return array.astype(other.dtype)


def within(name: str, values: jax.typing.ArrayLike, least: float, most: float) -> jax.Array:
    """A number of a loss within its range, as far as it is known before the program runs.

    Raises:
        TypeError: if it is no real number.
        ValueError: if it is out of range.
    """
    array = _array(name, values)
    if not isinstance(values, jax.Array):
        real_numbers(name, values, finite=math.isinf(most), least=least)
        if not np.all(np.asarray(values) <= most):
            raise ValueError(f"{name} must be between {least:g} and {most:g}, not {values!r}")
    return array


def _array(name: str, values: jax.typing.ArrayLike) -> jax.Array:
    try:
        return jnp.asarray(values)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, not {values!r}") from None


def require_axes(axis: Axis | None, values: jax.Array) -> None:
    """Refuse an axis that an array does not have.

    Raises:
        ValueError: naming it.
    """
    for one in () if axis is None else np.ravel(axis).tolist():
        if not -values.ndim <= one < values.ndim:
            raise ValueError(
                f"axis must be an axis of an array of shape {values.shape}, not {axis}"
            )


def weighed(weight: jax.Array, value: jax.Array) -> jax.Array:
    """weight·value, and 0 where the weight is 0 and the value infinite."""
    nothing = (weight == 0) & jnp.isinf(value)
    return weight * jnp.where(nothing, 0, value)


def mask_like(
    where: jax.typing.ArrayLike | None, values: jax.Array, axis: Axis | None
) -> jax.Array | None:
    """A mask of the entries that take part, with the axes over which there is none."""
    require_axes(axis, values)
    if where is None:
        return None
    mask = _array("where", where).astype(bool)
    return mask if mask.ndim == values.ndim or axis is None else jnp.expand_dims(mask, axis)

"""The arguments of losses, checked, and products in them that stay finite."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.checks.kinds import Between
from gdlab.checks.values import is_array_of_reals, is_whole_number, shortened
from gdlab.core.numerics import widen

Axis = int | tuple[int, ...]
ROUNDING = 1e-2
"""An upper bound on the amount by which rounding in bfloat16 puts a probability above 1."""


def floating(name: str, values: jax.typing.ArrayLike) -> jax.Array:
    """An argument as real numbers of at least float32.

    Raises:
        TypeError: if it holds integers or complex numbers.
    """
    array = _array(name, values)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must be real floating-point numbers, not {array.dtype}")
    return widen(array)


def of_same_shape(name: str, values: jax.typing.ArrayLike, other: jax.Array) -> jax.Array:
    """An argument of the shape and dtype of another one.

    Raises:
        TypeError: if it holds something else than real numbers or truth values.
        ValueError: if the shapes are not the same: (n,) and (n, 1) would make a matrix.
    """
    array = _array(name, values)
    if not (is_array_of_reals(array) or array.dtype == bool):
        raise TypeError(f"{name} must be real numbers, not {array.dtype}")
    if array.shape != other.shape:
        raise ValueError(
            f"{name} have the shape {array.shape}, and the array that they belong to has the shape "
            f"{other.shape}; they must be the same"
        )
    return array.astype(other.dtype)


def integers(name: str, values: jax.typing.ArrayLike) -> jax.Array:
    """An argument that holds integers.

    Raises:
        TypeError: if it holds something else.
    """
    array = _array(name, values)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    return array


def number_within(
    name: str, value: jax.typing.ArrayLike, bounds: Between, shape: tuple[int, ...]
) -> jax.Array:
    """A number of a loss within its range, as far as it is known before the program runs.

    Args:
        name: the argument's name.
        value: what came for it: one number, or several that are broadcast to a shape.
        bounds: its range.
        shape: the shape.

    Raises:
        TypeError: if it is no real number.
        ValueError: if it is out of range, or of another shape.
    """
    array = _array(name, value)
    _require_fits(name, array, shape)
    if not is_array_of_reals(array):
        raise TypeError(f"{name} must be a real number, not {shortened(value)}")
    if not isinstance(array, Tracer) and np.isnan(array).any():
        raise ValueError(f"{name} must be {_words(bounds)}, not NaN")
    require_within(name, array, bounds)
    return array


def require_within(
    name: str, values: jax.Array, bounds: Between, advice: str = "", *, rounding: float = 0.0
) -> None:
    """Refuse numbers out of their range; within a program that is traced they are not known.

    A NaN, such as a model that has diverged predicts, makes the loss NaN, and is not refused.

    Args:
        name: the argument's name.
        values: its numbers.
        bounds: their range.
        advice: an explanation at the end of the message.
        rounding: the amount by which numbers may be out of range, since they were rounded.

    Raises:
        ValueError: naming one of them.
    """
    if isinstance(values, Tracer) or not values.is_fully_addressable or not values.size:
        return
    with jax.ensure_compile_time_eval():  # a traced loss may hold labels that are known
        extremes = [extreme.item() for extreme in _extremes(values)]
    for extreme in extremes:
        is_within = any(bounds.includes(extreme + by) for by in (-rounding, 0, rounding))
        if not (is_within or math.isnan(extreme)):
            raise ValueError(f"{name} must be {_words(bounds)}, not {extreme:.7g}{advice}")


@jax.jit
def _extremes(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The smallest and the largest number, found where the array is, without the NaN."""
    return jnp.nanmin(values), jnp.nanmax(values)


def _words(bounds: Between) -> str:
    return bounds.words.removeprefix("of ")


def require_logarithms(name: str, values: jax.Array) -> None:
    """Refuse numbers above 0, as probabilities themselves are, where they are known.

    Raises:
        ValueError: naming the largest.
    """
    advice = ": they are logarithms of probabilities, such as jax.nn.log_softmax gives"
    require_within(name, values, Between(high=0), advice, rounding=ROUNDING)


def _require_fits(name: str, array: jax.Array, shape: tuple[int, ...]) -> None:
    """Refuse an array that is not broadcast to a shape."""
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} must be broadcast to the shape {shape}, and is {array.shape}")


def _array(name: str, values: jax.typing.ArrayLike) -> jax.Array:
    try:
        return jnp.asarray(values)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, not {shortened(values)}") from None


def require_axes(axis: Axis | None, values: jax.Array) -> None:
    """Refuse an axis that an array does not have, or has once and is given twice.

    Raises:
        TypeError: if it is no whole number, and no tuple of them.
        ValueError: naming it.
    """
    if axis is None:
        return
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(map(is_whole_number, axes)):
        raise TypeError(f"axis must be a whole number or a tuple of them, not {axis!r}")
    if not all(-values.ndim <= one < values.ndim for one in axes):
        raise ValueError(f"axis must be an axis of an array of shape {values.shape}, not {axis}")
    if len({one % values.ndim for one in axes}) < len(axes):
        raise ValueError(f"axis must be different axes, not {axis}")


def weighed(weight: jax.Array, value: jax.Array) -> jax.Array:
    """weight·value, and 0 where the weight is 0 and the value infinite."""
    nothing = (weight == 0) & jnp.isinf(value)
    return weight * jnp.where(nothing, 0, value)


def mask_like(
    where: jax.typing.ArrayLike | None, values: jax.Array, axis: Axis | None
) -> jax.Array | None:
    """A mask of the entries that take part, with the axes over which there is none.

    Raises:
        TypeError: if it holds something else than truth values, or 0 and 1 for them.
        ValueError: if it is of another shape, or there is no such axis.
    """
    require_axes(axis, values)
    if where is None:
        return None
    mask = _array("where", where)
    if not (mask.dtype == bool or jnp.issubdtype(mask.dtype, jnp.integer)):
        raise TypeError(f"where must be True or False for each entry, not {mask.dtype}")
    if mask.ndim != values.ndim and axis is not None:
        mask = jnp.expand_dims(mask, axis)
    _require_fits("where", mask, values.shape)
    return mask.astype(bool)

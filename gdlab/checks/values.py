"""Tests of the values that users pass, and errors for those that do not fit."""

import functools
import math
import operator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

T = TypeVar("T")


def _dtype_of(value: Any) -> np.dtype | None:
    """The dtype of an array or a number, traced or not."""
    if isinstance(value, bool | int | float | complex):
        return np.dtype(type(value))
    dtype = getattr(value, "dtype", None)
    return dtype if hasattr(value, "shape") else None


def is_array_of_numbers(value: Any) -> bool:
    """Tell whether a value is a number, or an array of numbers or keys, traced or not."""
    dtype = _dtype_of(value)
    return dtype is not None and (
        jnp.issubdtype(dtype, np.number)
        or jnp.issubdtype(dtype, np.bool_)
        or jnp.issubdtype(dtype, jax.dtypes.extended)
    )


def is_array_of_reals(value: Any) -> bool:
    """Tell whether a value is a real number, or an array of real numbers, traced or not."""
    dtype = _dtype_of(value)
    return dtype is not None and is_real_dtype(dtype)


@functools.cache
def is_real_dtype(dtype: np.dtype) -> bool:
    """Tell whether a dtype is one of real numbers."""
    return jnp.issubdtype(dtype, np.floating) or jnp.issubdtype(dtype, np.integer)


def is_whole_number(value: Any) -> bool:
    """Tell whether a value is a whole number, of Python or NumPy, but not a boolean."""
    if isinstance(value, bool | np.bool_):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def is_tree_of_arrays(tree: Any) -> bool:
    """Tell whether all leaves of a tree are arrays of numbers, traced or not."""
    leaves = jax.tree.leaves(tree)
    return bool(leaves) and all(map(is_array_of_numbers, leaves))


def is_key(value: Any) -> bool:
    """Tell whether a value is a single PRNG key, new-style (typed) or old-style."""
    if not isinstance(value, jax.Array | np.ndarray):
        return False
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return value.shape == ()
    return value.dtype == np.uint32 and value.ndim == 1 and value.size > 1


def is_truth_value(value: Any) -> bool:
    """Tell whether a value is a boolean, traced or not.

    >>> from gdlab.checks.values import is_truth_value
    >>> is_truth_value(True), is_truth_value(2.5), is_truth_value(None)
    (True, False, False)
    """
    if isinstance(value, bool):
        return True
    return getattr(value, "shape", None) == () and jnp.issubdtype(value.dtype, jnp.bool_)


def require_real_scalar(name: str, value: T) -> T:
    """The value itself, if it is a single real number.

    Raises:
        TypeError: if it is something else.
    """
    if is_array_of_reals(value) and np.shape(value) == ():  # type: ignore[arg-type]
        return value
    raise TypeError(f"{name} must be one real number, not {value!r}")


def require_step(name: str, step: Any) -> None:
    """Refuse what is no number of a step; one that is traced may be any.

    Raises:
        TypeError: if it is no whole number.
        ValueError: if it is negative.
    """
    if isinstance(step, Tracer):
        return
    if not is_whole_number(step):
        raise TypeError(f"{name} must be a whole number, not {shortened(step)}")
    if step < 0:
        raise ValueError(f"{name} must be at least 0, from which steps count, not {step}")


def require_key(name: str, key: Any) -> None:
    """Raise unless a value is a single PRNG key.

    Raises:
        TypeError: if it is something else, or several keys.
    """
    if not is_key(key):
        raise TypeError(
            f"{name} must be a PRNG key, such as jax.random.key(0), not {shortened(key)}"
        )


def real_numbers(
    name: str,
    values: Any,
    *,
    ndim: int | None = None,
    least: float = -math.inf,
    finite: bool = True,
    rising: bool = False,
) -> np.ndarray:
    """The real numbers that a user passed, in float64.

    Args:
        name: the argument's name.
        values: the argument's value.
        ndim: the required number of axes, none of which may be empty; any number unless given.
        least: the smallest number allowed.
        finite: whether all numbers must be finite.
        rising: whether each must be above the one before.

    Raises:
        TypeError: if the values are not real numbers.
        ValueError: if they have the wrong shape, are not finite, too small, or not increasing.

    >>> from gdlab.checks.values import real_numbers
    >>> real_numbers("times", [0, 1], ndim=1)
    array([0., 1.])
    """
    try:
        given = np.asarray(values)
        array = None if given.dtype.kind in "cUS" else np.asarray(given, np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None:
        raise TypeError(f"{name} must be real numbers, not {shortened(values)}")
    _require_form(name, array, ndim, finite)
    if np.any(array < least):
        raise ValueError(f"{name} must be at least {least:g}, not {np.min(array):g}")
    if rising and not np.all(np.diff(array) > 0):
        raise ValueError(f"{name} must rise, not {shortened(array.tolist())}")
    return array


def complex_numbers(
    name: str, values: Any, *, ndim: int | None = None, finite: bool = True
) -> np.ndarray:
    """The numbers that a user passed, real or complex, in complex128, as in :func:`real_numbers`.

    Raises:
        TypeError: if the values are not numbers.
        ValueError: if they have the wrong shape or are not finite.
    """
    try:
        given = np.asarray(values)
        array = None if given.dtype.kind in "US" else np.asarray(given, np.complex128)
    except (TypeError, ValueError):
        array = None
    if array is None:
        raise TypeError(f"{name} must be numbers, not {shortened(values)}")
    _require_form(name, array, ndim, finite)
    return array


def _require_form(name: str, array: np.ndarray, ndim: int | None, finite: bool) -> None:
    if ndim is not None and (array.ndim != ndim or array.size == 0):
        forms = ("one number", "a list of numbers", "a table of numbers")
        raise ValueError(
            f"{name} must be {forms[ndim]}{' that is not empty' * (ndim > 0)}, not of shape "
            f"{array.shape}"
        )
    if finite and not np.all(np.isfinite(array)):
        count = np.sum(~np.isfinite(array))
        raise ValueError(f"{name} must be finite, but {count} of {array.size} numbers are not")


def shortened(value: Any) -> str:
    """A value as text for a message, cut off if it is long."""
    if isinstance(value, Tracer):
        return f"a traced {value.dtype}{list(value.shape)}"
    written = repr(value)
    return written if len(written) <= 80 else f"{written[:60]}… ({type(value).__name__})"

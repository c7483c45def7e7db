"""Refusal of numbers that would overflow or underflow in a dtype, or that are out of range."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.kinds import LARGEST_COUNT
from gdlab.core.structure import Tree, dotted


@functools.cache
def _limits(dtype: np.dtype) -> tuple[float, float]:
    ends = np.finfo(dtype)
    return float(ends.smallest_subnormal), float(ends.max)


def fits(value: float, dtype: np.dtype) -> bool:
    """Tell whether a number neither overflows nor underflows to 0 in a dtype; ∞ and NaN fit.

    >>> import numpy as np
    >>> from gdlab.core.ranges import fits
    >>> [fits(value, np.dtype("float32")) for value in (1e39, 1e-50, 0.1, float("inf"))]
    [False, False, True, True]
    """
    smallest, largest = _limits(dtype)
    return smallest <= abs(value) <= largest or value == 0 or not math.isfinite(value)


def require_fit(value: float, dtype: np.dtype) -> float:
    """Return a number if a dtype can hold it.

    Raises:
        ValueError: if it would become infinite or zero in the dtype.
    """
    if fits(value, dtype):
        return value
    smallest, largest = _limits(dtype)
    remedy = "parameters of float64 are computed in float64"
    if not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        remedy = "jax.config.update('jax_enable_x64', True) computes in float64"
    raise ValueError(
        f"{value!r} does not fit into {dtype.name}, where it would be "
        f"{'infinite' if abs(value) > 1 else 'zero'}; numbers between {smallest:.1e} and "
        f"{largest:.1e} do, and {remedy}"
    )


def widest_float() -> np.dtype:
    """The widest floating-point dtype: float32, or float64 where JAX computes in 64 bits."""
    return np.dtype(jnp.result_type(float))


def require_all_fit(values: Tree, dtype: np.dtype) -> None:
    """Refuse the Python numbers and NumPy arrays of a tree that a dtype cannot hold.

    JAX arrays are not checked, since they already have a dtype.

    Raises:
        ValueError: if a number would become infinite or zero, naming the first one.
    """
    for leaf in jax.tree.leaves(values):
        if isinstance(leaf, float | np.ndarray) and np.asarray(leaf).dtype == np.float64:
            for value in np.ravel(leaf).tolist():
                require_fit(value, dtype)


def require_numbers_fit(name: str, tree: Tree, dtype: np.dtype) -> None:
    """Refuse the Python numbers of a tree that would be infinite or zero in a dtype, by path.

    Raises:
        ValueError: if there is such a number, naming the path of the first one.
    """
    # In a traced step the numbers are traced too, so only this loop is run.
    for leaf in jax.tree.leaves(tree):
        if isinstance(leaf, float) and not fits(leaf, dtype):
            break
    else:
        return
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if isinstance(leaf, float):
            try:
                require_fit(leaf, dtype)
            except ValueError as error:
                raise ValueError(f"{name}: {dotted(path) or 'the root'}: {error}") from None


def require_count(name: str, count: object) -> None:
    """Refuse a number of steps that the counter of a state cannot reach.

    Raises:
        ValueError: if it exceeds the largest int32.
    """
    if isinstance(count, int) and abs(count) > LARGEST_COUNT:
        raise ValueError(
            f"{name} is {count}, but steps are counted in int32: {LARGEST_COUNT} is the largest"
        )


def require_positive(**numbers: object) -> None:
    """Refuse arguments that are not positive integers.

    Raises:
        ValueError: if there is such an argument, with the name of the first one.
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} must be positive and an integer, not {number!r}")
        require_count(name, number)

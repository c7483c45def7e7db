"""Checks of curvatures and of numbers for each mode."""

import math
from typing import Any

import numpy as np

from gdlab.checks.values import real_numbers


def checked_curvature(curvature: Any) -> np.ndarray:
    """Check a curvature, and return it in float64: a number, a spectrum or a symmetric matrix.

    Raises:
        ValueError: if it is none of these, or not finite.
    """
    values = real_numbers("curvature", curvature, finite=False)
    if values.ndim > 2 or values.size == 0 or (values.ndim == 2 and len(set(values.shape)) > 1):
        raise ValueError(
            "curvature must be a number, a spectrum of shape (n,) or a Hessian of shape (n, n), "
            f"not of shape {values.shape}"
        )
    if not np.all(np.isfinite(values)):
        raise ValueError(
            f"curvature must be finite, but {np.sum(~np.isfinite(values))} of it is not"
        )
    if values.ndim == 2:
        asymmetry = np.max(np.abs(values - values.T))
        if asymmetry > 1e-5 * np.max(np.abs(values)):
            raise ValueError(
                "curvature: a Hessian is symmetric, but entries across the diagonal differ by "
                f"{asymmetry:.3g}"
            )
        values = (values + values.T) / 2
    return values


def positive_curvature(curvature: Any) -> np.ndarray:
    """Check a curvature for an analysis of stability, which needs positive eigenvalues.

    Raises:
        ValueError: if an eigenvalue is zero or negative.
    """
    values = checked_curvature(curvature)
    lowest = np.min(np.linalg.eigvalsh(values) if values.ndim == 2 else values)
    if lowest <= 0:
        raise ValueError(
            f"stability needs positive curvature, but the lowest is {lowest:.3g}: where it is 0 "
            "nothing moves, and where it is negative every method leaves; hand the positive "
            "eigenvalues over as a spectrum"
        )
    return values


def one_each(name: str, values: Any, count: int, least: float = -math.inf) -> np.ndarray:
    """An array of one number for each of ``count`` modes or weights; a scalar is repeated.

    Raises:
        TypeError: if the values are not real numbers.
        ValueError: if the length is not ``count``, or a value is not finite or below ``least``.
    """
    values = real_numbers(name, values, least=least)
    if values.shape not in ((), (count,)):
        raise ValueError(f"{name} must be a number, or of shape ({count},), not {values.shape}")
    return np.broadcast_to(values, count)

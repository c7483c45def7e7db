"""The coefficients of quadratic functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

PLACES = np.array([[0.0, 0.0], [1.0, -0.7], [-2.3, 0.4], [0.6, 3.1], [-11.0, -7.0], [40.0, 65.0]])
"""The points at which the curvatures of a function of two variables are compared."""
LARGEST_HESSIAN = 300
"""The largest number of variables for which a function is tested for being quadratic."""
TOLERANCE = 1e-9
"""The largest relative difference of numbers that count as equal."""


class Quadratic(NamedTuple):
    """The quadratic function ½(w − c)ᵀH(w − c) + const."""

    hessian: np.ndarray
    """The Hessian H, of shape (n, n)."""
    center: np.ndarray
    """The critical point c nearest to 0, of shape (n,)."""
    lowest: float | None
    """The least value, None if the function is unbounded below."""
    curvatures: np.ndarray
    """The eigenvalues of H, smallest first."""
    directions: np.ndarray
    """The eigenvectors of H, as columns."""


def quadratic_of(fun: Callable[..., Any], size: int = 2) -> Quadratic | None:
    """The coefficients of a function if it is quadratic; None if its Hessian is not constant.

    Args:
        fun: a function of a vector.
        size: the length of the vector; above ``LARGEST_HESSIAN`` the result is None.
    """
    if size > LARGEST_HESSIAN:
        return None
    at = jnp.asarray(PLACES if size == 2 else np.random.default_rng(0).normal(size=(4, size)))
    hessians, gradient = jax.device_get(
        jax.jit(lambda at: (jax.vmap(jax.hessian(fun))(at), jax.grad(fun)(0 * at[0])))(at)
    )
    hessian = (hessians[0] + hessians[0].T) / 2
    scale = np.max(np.abs(hessian))
    if not np.all(np.isfinite(hessians)) or scale == 0:
        return None
    if np.max(np.abs(hessians - hessian)) > TOLERANCE * scale:
        return None
    center = -np.linalg.pinv(hessian) @ gradient
    # With a slope along a flat direction there is no critical point.
    if np.max(np.abs(hessian @ center + gradient)) > TOLERANCE * max(1, np.max(np.abs(gradient))):
        return None
    curvatures, directions = np.linalg.eigh(hessian)
    directions = along_axes(directions.T).T
    convex = curvatures[0] >= -TOLERANCE * scale
    lowest = float(fun(jnp.asarray(center))) if convex else None
    return Quadratic(hessian, center + 0.0, lowest, curvatures, directions)


def along_axes(directions: np.ndarray) -> np.ndarray:
    """Directions, as rows, with signs that make the largest component of each positive.

    The sign of eigenvectors and singular vectors is arbitrary.
    """
    largest = np.argmax(np.abs(directions), axis=1)
    return directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]

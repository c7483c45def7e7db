"""The coefficients of a function that is quadratic."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

PLACES = np.array([[0.0, 0.0], [1.0, -0.7], [-2.3, 0.4], [0.6, 3.1], [-11.0, -7.0], [40.0, 65.0]])
"""The points at which the curvatures of a function of two variables are compared."""
LARGEST_HESSIAN = 300
"""The most variables of a function that is asked whether it is quadratic."""
TOLERANCE = 1e-9
"""The largest relative difference of numbers that count as equal."""


class Quadratic(NamedTuple):
    """½(w − c)ᵀH(w − c) + const."""

    hessian: np.ndarray
    """H."""
    center: np.ndarray
    """c, where the gradient vanishes; of several the one nearest to 0."""
    lowest: float | None
    """The least value, None if there is none."""
    curvatures: np.ndarray
    """The eigenvalues of H, smallest first."""
    directions: np.ndarray
    """Its eigenvectors, in the columns."""


def quadratic_of(fun: Callable[..., Any], size: int = 2) -> Quadratic | None:
    """The function as a quadratic one, or None if its Hessian is not the same everywhere.

    Args:
        fun: a function of a vector.
        size: the length of the vector; of very long ones no Hessian is taken.
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
    # A flat direction with a slope has no place where the gradient vanishes.
    if np.max(np.abs(hessian @ center + gradient)) > TOLERANCE * max(1, np.max(np.abs(gradient))):
        return None
    curvatures, directions = np.linalg.eigh(hessian)
    directions = along_axes(directions.T).T
    convex = curvatures[0] >= -TOLERANCE * scale
    lowest = float(fun(jnp.asarray(center))) if convex else None
    return Quadratic(hessian, center + 0.0, lowest, curvatures, directions)


def along_axes(directions: np.ndarray) -> np.ndarray:
    """Directions, one a row, with the sign that makes the largest component of each positive.

    Eigenvectors and singular vectors have no sign of their own.
    """
    largest = np.argmax(np.abs(directions), axis=1)
    return directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]

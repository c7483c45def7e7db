"""Quadratic functions with a given spectrum."""

from collections.abc import Sequence
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between, Seed
from gdlab.checks.values import real_numbers
from gdlab.problems.problem import Problem, constant, tags


@checked
def quadratic(
    spectrum: Sequence[float] | np.ndarray = (1.0, 25.0),
    rotation: float | np.ndarray | None = None,
    *,
    noise: float | Sequence[float] | np.ndarray = 0.0,
    minimiser: Sequence[float] | np.ndarray | None = None,
    start: Sequence[float] | np.ndarray | None = None,
) -> Problem:
    """A quadratic function with given curvatures along given axes, optionally with gradient noise.

    f(w) = ½ Σᵢ λᵢ cᵢ², with c = Qᵀ(w − w*) the eigen-coordinates

    With noise and a key the gradient is Q(λ ⊙ c + s ⊙ ξ), where ξ is standard normal: each mode i
    is an independent scalar problem with curvature λᵢ and gradient noise of variance sᵢ². It is
    evaluated mode by mode, so that in float64 a condition number of 10⁸ leaves eight digits of the
    smallest curvature.

    Args:
        spectrum: the curvatures λ, in any order. If one is negative, there is a saddle instead of a
            minimiser.
        rotation: the orthogonal matrix Q, whose columns are the axes, or in two dimensions the
            angle by which the axes are rotated, in radians. None for the coordinate axes.
        noise: the standard deviations s of the gradient along the axes, one number or one for each.
        minimiser: the minimiser w*; by default zero.
        start: the start; by default the point with all eigen-coordinates 1.

    Raises:
        ValueError: if the sizes do not fit, ``rotation`` is not orthogonal, or noise is negative.

    >>> import jax
    >>> from gdlab import problems
    >>> ravine = problems.quadratic([1.0, 100.0], rotation=0.5)
    >>> jax.numpy.linalg.eigvalsh(jax.hessian(ravine)(ravine.start)).tolist()
    [1.000, 100.00]

    Source: G. Goh, Why Momentum Really Works, Distill, 2017.
    """
    values = np.asarray(spectrum, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"spectrum must be a list of finite numbers, not {spectrum!r}")
    size = len(values)
    axes = _axes(rotation, size)
    center = _vector("minimiser", 0.0 if minimiser is None else minimiser, size)
    deviations = _vector("noise", noise, size)
    if np.any(deviations < 0):
        raise ValueError(f"noise is a standard deviation and at least 0, not {noise}")
    if start is None:
        start = center + axes @ np.ones(size)
    start = _vector("start", start, size)

    def expectation(w: jax.Array) -> jax.Array:
        c = constant(axes.T, w) @ (w - constant(center, w))
        return 0.5 * jnp.sum(constant(values, w) * c**2)

    def noisy(w: jax.Array, key: jax.Array | None = None) -> jax.Array:
        if key is None:
            return expectation(w)
        xi = jax.random.normal(key, w.shape, w.dtype)
        force = constant(axes, w) @ (constant(deviations, w) * xi)
        return expectation(w) + force @ (w - constant(center, w))

    is_noisy = bool(deviations.any())
    low, high = float(values.min()), float(values.max())
    reach = 1.3 * np.abs(start - center).max() or 1.0
    critical = (center,)
    return Problem(
        function=noisy if is_noisy else expectation,
        name=f"quadratic, κ = {high / low:.4g}" if low > 0 else "quadratic",
        start=start,
        source="G. Goh, Why Momentum Really Works, Distill, 2017",
        tags=tags(
            "quadratic",
            convex=low >= 0,
            unbounded=low < 0,
            saddle=low < 0 < high,
            degenerate=bool((values == 0).any()),
            ravine=low >= 0 < high and high >= 10 * values[values > 0].min(),
            noise=is_noisy,
        ),
        minimum=0.0 if low >= 0 else -np.inf,
        minimisers=critical if low >= 0 else (),
        saddles=critical if low < 0 < high else (),
        maximisers=critical if low < 0 and high <= 0 else (),
        spectrum=np.sort(values),
        curvature_bounds=(low, high),
        gradient_noise=(axes * deviations**2) @ axes.T if is_noisy else None,
        bounds=(
            (float(center[0] - reach), float(center[0] + reach)),
            (float(center[1] - reach), float(center[1] + reach)),
        )
        if size == 2
        else None,
    )


@checked
def random_rotation(size: Annotated[int, Between(1, 10_000)], seed: Seed = 0) -> np.ndarray:
    """A random orthogonal matrix, uniformly (Haar) distributed.

    It is the Q of a QR factorisation of a normal matrix, multiplied by the signs of R's diagonal.

    >>> import numpy as np
    >>> from gdlab.problems import random_rotation
    >>> axes = random_rotation(5)
    >>> np.allclose(axes.T @ axes, np.eye(5))
    True

    Source: F. Mezzadri, How to generate random matrices from the classical compact groups, 2007.
    """
    orthogonal, triangular = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return orthogonal * np.sign(np.diag(triangular))


def rotation_by(angle: float) -> np.ndarray:
    """The matrix of a counterclockwise rotation of the plane by an angle in radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _axes(rotation: float | np.ndarray | None, size: int) -> np.ndarray:
    if rotation is None:
        return np.eye(size)
    if np.ndim(rotation) == 0 and size == 2:
        return rotation_by(float(real_numbers("rotation", rotation)))
    return orthogonal("rotation", rotation, size)


def orthogonal(name: str, matrix: float | np.ndarray, size: int) -> np.ndarray:
    """Check that a matrix is orthogonal and of shape (size, size), and return it.

    Raises:
        ValueError: if the matrix is not orthogonal, or of another shape.
    """
    matrix = real_numbers(name, matrix)
    if matrix.shape != (size, size):
        raise ValueError(
            f"{name} has the shape {matrix.shape}, but there are {size} parameters: it must be an "
            f"orthogonal matrix of shape {(size, size)}" + (", or an angle" if size == 2 else "")
        )
    if not np.allclose(matrix.T @ matrix, np.eye(size), atol=1e-10):
        raise ValueError(f"{name} must be orthogonal, but its transpose is not its inverse")
    return matrix


def _vector(name: str, given: float | Sequence[float] | np.ndarray, size: int) -> np.ndarray:
    vector = real_numbers(name, given)
    if vector.shape not in ((), (size,)):
        raise ValueError(
            f"{name} has the shape {vector.shape}, but the spectrum has {size} numbers"
        )
    return np.broadcast_to(vector, size).copy()

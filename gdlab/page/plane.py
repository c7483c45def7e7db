"""A plane in parameter space, onto which runs in many dimensions are projected."""

import base64
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.page.quadratic import Quadratic, along_axes

PlaneChoice = str | Sequence[str | int]
"""``"principal"``, ``"eigenvectors"``, or the names or positions of two variables."""


class Plane(NamedTuple):
    """The points origin + a·d₁ + b·d₂, for orthonormal directions d₁ and d₂."""

    origin: np.ndarray
    """The point of the plane at which both coordinates are 0, of shape (n,)."""
    directions: np.ndarray
    """d₁ and d₂, of shape (2, n)."""
    names: tuple[str, str]
    """The names of the two coordinates."""
    note: str
    """A sentence about the plane."""

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """The coordinates (a, b) of points projected onto the plane."""
        return (points - self.origin) @ self.directions.T

    def distance(self, points: np.ndarray) -> np.ndarray:
        """The distance of points from the plane."""
        away = points - self.origin
        return np.linalg.norm(away - (away @ self.directions.T) @ self.directions, axis=-1)

    def restricted(self, fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function of all variables as a function of a and b."""
        origin, directions = jnp.asarray(self.origin), jnp.asarray(self.directions)
        return lambda at: fun(origin + at @ directions)

    def as_json(self, start: np.ndarray) -> dict[str, Any]:
        """The entries of the page's JSON, for the start of the runs."""
        packed = np.concatenate([self.origin, *self.directions, start])
        return {
            "size": len(self.origin),
            "vectors": base64.b64encode(packed.astype("<f8").tobytes()).decode(),
            "names": self.names,
            "note": self.note,
        }


def plane_of(
    choice: PlaneChoice,
    fun: Callable[[Any], Any],
    paths: Mapping[str, np.ndarray],
    quadratic: Quadratic | None,
    names: Sequence[str],
) -> Plane:
    """The chosen plane, through the end of the first run that stays finite.

    Args:
        choice: ``"principal"``, the two directions along which the runs extend most;
            ``"eigenvectors"``, those of the largest and of the smallest curvature at that end; or
            two variables by name or position.
        fun: the function of a vector.
        paths: the run of each optimizer, of shape (steps + 1, n).
        quadratic: the coefficients of the function if it is quadratic, else None.
        names: the name of each variable.

    Raises:
        ValueError: if the choice is none of these.
    """
    require_plane(choice, names)
    finite = [path[np.isfinite(path).all(1)] for path in paths.values()]
    ends = [path[-1] for path, whole in zip(finite, paths.values(), strict=True)
            if len(path) == len(whole)]  # fmt: skip
    origin = ends[0] if ends else finite[0][0]
    choice = choice if isinstance(choice, str) else tuple(choice)
    if choice == "principal":
        return _principal(origin, finite)
    if choice == "eigenvectors":
        return _eigenvectors(origin, fun, quadratic)
    positions = [_position(one, names) for one in choice]
    across, up = (names[position] for position in positions)
    note = f"The other {len(names) - 2} variables have the values at which the first run ends."
    origin = origin.copy()
    origin[positions] = 0  # so that the coordinates are the values of the variables
    return Plane(origin, np.eye(len(names))[positions], (across, up), note)


def require_plane(choice: PlaneChoice, names: Sequence[str]) -> None:
    """Refuse an invalid choice of a plane for these variables.

    Raises:
        ValueError: naming the available choices.
    """
    if isinstance(choice, str) and choice in ("principal", "eigenvectors"):
        return
    if isinstance(choice, str) or len(choice) != 2:
        raise _no_plane(choice, names)
    if len({_position(one, names) for one in choice}) < 2:
        raise _no_plane(choice, names)


def _principal(origin: np.ndarray, paths: Sequence[np.ndarray]) -> Plane:
    """The directions along which the points extend most, without runs that diverge."""
    size = np.median([np.linalg.norm(path[0] - origin) for path in paths])
    points = np.concatenate([path - origin for path in paths])
    points = points[np.linalg.norm(points, axis=1) <= 3 * max(size, 1e-12)]
    # Zeros, so that there are two directions even for a single point.
    points = np.concatenate([points, np.zeros((2, len(origin)))])
    _, sizes, directions = np.linalg.svd(points, full_matrices=False)
    total = np.sum(sizes**2)
    shares = [s**2 / total if total > 0 else 0.0 for s in sizes[:2]]
    percent = [f"{100 * share:.3g}\u00a0%" for share in shares]
    note = (
        "The plane of the two principal directions of the runs, which hold "
        f"{percent[0]} and {percent[1]} of their squared distances from the end of the first."
    )
    return Plane(origin, along_axes(directions[:2]), ("direction 1", "direction 2"), note)


def _eigenvectors(
    origin: np.ndarray, fun: Callable[[Any], Any], quadratic: Quadratic | None
) -> Plane:
    if quadratic is not None:
        curvatures, vectors = quadratic.curvatures, quadratic.directions
    else:
        hessian = np.asarray(jax.jit(jax.hessian(fun))(jnp.asarray(origin)))
        curvatures, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    low, high = float(curvatures[0]), float(curvatures[-1])
    note = (
        f"The plane of the eigenvectors of the smallest curvature, {low:.3g}, and of the largest, "
        f"{high:.3g}, where the first run ends."
    )
    directions = along_axes(vectors[:, [0, -1]].T)
    return Plane(origin, directions, (f"λ = {low:.3g}", f"λ = {high:.3g}"), note)


def _position(variable: str | int, names: Sequence[str]) -> int:
    if isinstance(variable, str):
        if variable in names:
            return list(names).index(variable)
    elif -len(names) <= variable < len(names):
        return operator.index(variable) % len(names)
    raise ValueError(
        f"plane: no variable is called {variable!r}; there are {len(names)}, from {names[0]!r} to "
        f"{names[-1]!r}"
    )


def _no_plane(choice: object, names: Sequence[str]) -> ValueError:
    return ValueError(
        "plane must be 'principal', 'eigenvectors' or two variables, such as "
        f"({names[0]!r}, {names[1]!r}), not {choice!r}"
    )

"""The known critical points, bounds and least value of a function."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.page.plane import Plane
from gdlab.page.quadratic import Quadratic
from gdlab.problems.problem import Problem


class Landmarks(NamedTuple):
    """The critical points and bounds that a map marks, and the window of a problem."""

    points: tuple[tuple[str, np.ndarray], ...] = ()
    """Critical points, each with its kind: minimum, local minimum, saddle or maximum."""
    lowest: float | None = None
    """The least value of the function; None if it is unknown or −∞."""
    box: tuple[float, float] | None = None
    """The bounds between which each parameter has to stay."""
    window: np.ndarray | None = None
    """((left, right), (bottom, top)) in which a problem is usually drawn."""

    def on_plane(self, plane: Plane) -> "Landmarks":
        """The critical points that lie in a plane, in its coordinates."""
        points = tuple(
            (kind, plane.coordinates(point))
            for kind, point in self.points
            if plane.distance(point) <= 1e-6 * max(1.0, float(np.linalg.norm(point)))
        )
        return Landmarks(points, self.lowest)

    def as_json(self) -> dict[str, Any]:
        """The entries of the page's JSON."""
        points = [{"kind": kind, "at": point.tolist()} for kind, point in self.points]
        return {"landmarks": points, "lowest": self.lowest, "box": self.box}


def landmarks_of(fun: Callable[..., Any], quadratic: Quadratic | None) -> Landmarks:
    """The landmarks of a problem or of a quadratic function."""
    if isinstance(fun, Problem):
        kinds = {
            "minimum": fun.minimisers,
            "local minimum": fun.local_minimisers,
            "saddle": fun.saddles,
            "maximum": fun.maximisers,
        }
        points = tuple((kind, _vector(point)) for kind, known in kinds.items() for point in known)
        lowest = None if fun.minimum is None or np.isinf(fun.minimum) else float(fun.minimum)
        window = None if fun.bounds is None else np.asarray(fun.bounds, np.float64)
        if points or quadratic is None:
            return Landmarks(points, lowest, fun.box, window)
    if quadratic is None:
        return Landmarks()
    return Landmarks(((_kind_of(quadratic), quadratic.center),), quadratic.lowest)


def _vector(point: Any) -> np.ndarray:
    """The numbers of a tree of arrays in a row."""
    return np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in jax.tree.leaves(point)])


def _kind_of(quadratic: Quadratic) -> str:
    if quadratic.lowest is not None:
        return "minimum"
    return "maximum" if quadratic.curvatures[-1] <= 0 else "saddle"

"""The runs and landmarks of a page in two coordinates: two variables, or coordinates on a plane."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.core.transformation import GradientTransformation
from gdlab.page.dynamics import dynamics_of
from gdlab.page.landmarks import Landmarks, landmarks_of
from gdlab.page.panels import ALWAYS, QUADRATIC
from gdlab.page.plane import Plane, PlaneChoice, plane_of
from gdlab.page.quadratic import Quadratic
from gdlab.page.space import Space
from gdlab.page.view import runs_of
from gdlab.training.trajectory import Trajectory

MOST_MODES = 6
"""The largest number of drawn modes of a quadratic function of many variables."""


class Scene(NamedTuple):
    """The content of a page in the two coordinates of its map."""

    fun: Callable[..., Any]
    """The function of the two coordinates; the user's own if it has two variables."""
    runs: dict[str, Trajectory]
    paths: dict[str, np.ndarray]
    """The run of each optimizer in the two coordinates, of shape (steps + 1, 2)."""
    space: Space
    plane: Plane | None
    quadratic: Quadratic | None
    """The coefficients of the function of all variables if it is quadratic, else None."""
    landmarks: Landmarks
    dynamics: dict[str, dict[str, Any] | None]

    @classmethod
    def of(
        cls,
        fun: Callable[..., Any],
        space: Space,
        optimizers: dict[str, GradientTransformation],
        steps: int,
        quadratic: Quadratic | None,
        choice: PlaneChoice,
    ) -> "Scene":
        """Run the optimizers, and project onto a plane if there are more than two variables."""
        assert space.start is not None
        runs = runs_of(space, optimizers, steps)
        paths = {name: _vectors(run.path) for name, run in runs.items()}
        landmarks = landmarks_of(fun, quadratic)
        plain = fun if space.unravel is None and space.size == 2 else space.fun
        if space.size == 2:
            dynamics = {name: _dynamics(own, quadratic) for name, own in optimizers.items()}
            return cls(plain, runs, paths, space, None, quadratic, landmarks, dynamics)
        plane = plane_of(choice, space.fun, paths, quadratic, space.names)
        paths = {name: plane.coordinates(path) for name, path in paths.items()}
        seen = landmarks.on_plane(plane)
        dynamics = dict.fromkeys(optimizers)
        return cls(
            plane.restricted(space.fun), runs, paths, space, plane, quadratic, seen, dynamics
        )

    @property
    def start(self) -> np.ndarray:
        """The two coordinates of the start."""
        return next(iter(self.paths.values()))[0]

    @property
    def flat_quadratic(self) -> Quadratic | None:
        """The coefficients of a quadratic function of two variables; None for any other."""
        return self.quadratic if self.plane is None else None

    @property
    def panels(self) -> tuple[str, ...]:
        """The panels that the page can have."""
        if self.quadratic is None:
            return ALWAYS
        return (*ALWAYS, *(QUADRATIC if self.plane is None else QUADRATIC[:1]))

    @property
    def linear(self) -> list[str]:
        """The names of the optimizers that can be linearised."""
        return [
            name for name, own in self.dynamics.items() if own is not None and "refused" not in own
        ]

    def as_json(self) -> dict[str, Any]:
        """The entries of the page's JSON."""
        flat, plane = self.flat_quadratic, self.plane
        assert self.space.start is not None
        return {
            "names": self.space.names[:2] if plane is None else plane.names,
            "quadratic": None if flat is None else _as_json(flat),
            "plane": None if plane is None else plane.as_json(self.space.start),
            "spectrum": None if plane is None else _spectrum(self.quadratic),
            **self.landmarks.as_json(),
        }


def _spectrum(quadratic: Quadratic | None) -> dict[str, Any] | None:
    """Some modes of a quadratic function, from the flattest to the steepest."""
    if quadratic is None:
        return None
    count = len(quadratic.curvatures)
    shown = np.unique(np.linspace(0, count - 1, MOST_MODES).round().astype(int))
    return {
        "center": quadratic.center.tolist(),
        "directions": quadratic.directions.T[shown].tolist(),
        "curvatures": quadratic.curvatures[shown].tolist(),
        "positions": (shown + 1).tolist(),
    }


def _vectors(path: Any) -> np.ndarray:
    """The points of a run as vectors, of shape (steps + 1, n)."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(path)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


def _dynamics(tx: GradientTransformation, quadratic: Quadratic | None) -> dict[str, Any] | None:
    return None if quadratic is None else dynamics_of(tx, quadratic.hessian)


def _as_json(quadratic: Quadratic) -> dict[str, Any]:
    return {
        name: np.asarray(value).tolist() if value is not None else None
        for name, value in quadratic._asdict().items()
    }

"""The window that a page shows at first, and the runs in it."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.landscapes.window import window_around, window_of_runs
from gdlab.core.transformation import GradientTransformation
from gdlab.page.landmarks import Landmarks
from gdlab.page.quadratic import Quadratic
from gdlab.page.space import Space, array_of
from gdlab.training.minimize import minimize
from gdlab.training.trajectory import Trajectory

FROM_CENTER = np.array([-1.5, 1.0])
"""The default start of a run, relative to the centre of a quadratic function, or to 0."""


def view_of(
    view: Any,
    paths: Sequence[np.ndarray],
    landmarks: Landmarks,
    quadratic: Quadratic | None,
) -> np.ndarray:
    """((low, high), (low, high)): as given, or around the runs and what is known of the function.

    Raises:
        ValueError: if what is given is no such pair.
    """
    if view is not None:
        ends = array_of(view)
        if ends is None or ends.shape != (2, 2) or not _is_box(ends):
            raise ValueError(
                f"view must be ((low, high), (low, high)), such as ((-2, 2), (-1, 3)), not {view!r}"
            )
        return ends
    if landmarks.window is not None:
        points = np.concatenate([landmarks.window.T, paths[0][:1], *map(_point, landmarks.points)])
        low, high = points.min(0), points.max(0)
        # The author's window has its own margins.
        return window_around(low, high, 0.0, one_scale=True)
    points = [point for _, point in landmarks.points]
    return window_of_runs(paths, points, one_scale=quadratic is not None)


def _is_box(ends: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(ends)) and np.all(ends[:, 0] < ends[:, 1]))


def _point(landmark: tuple[str, np.ndarray]) -> np.ndarray:
    return landmark[1][None]


def runs_of(
    space: Space, optimizers: Mapping[str, GradientTransformation], steps: int
) -> dict[str, Trajectory]:
    """The run of each optimizer as it is given; without a key, if the function is random."""
    start = space.params(jnp.asarray(space.start))

    def without_key(params: Any) -> Any:
        return space.fun(ravel_pytree(params)[0])

    return {name: minimize(without_key, start, tx, steps) for name, tx in optimizers.items()}

"""Where a page looks at first."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.core.transformation import GradientTransformation
from gdlab.page.landmarks import Landmarks
from gdlab.page.quadratic import Quadratic
from gdlab.page.space import Space
from gdlab.training.minimize import minimize
from gdlab.training.trajectory import Trajectory

FROM_CENTER = np.array([-1.5, 1.0])
"""Where a run starts unless told, as seen from the minimum of a quadratic, or from 0."""
MARGIN = 0.2
"""The share of the runs' extent that is left free on each side."""
ASPECT = 4 / 3
"""Width by height."""
FAR = 20.0
"""Beyond so many distances between start and end a run is out of the picture."""
MOST_STRETCH = 4.0
"""Up to which ratio of extents both axes have one scale."""


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
        ends = _numbers(view)
        if ends is None or ends.shape != (2, 2) or np.any(ends[:, 0] >= ends[:, 1]):
            raise ValueError(
                f"view must be ((low, high), (low, high)), such as ((-2, 2), (-1, 3)), not {view!r}"
            )
        return ends
    if landmarks.window is not None:
        points = np.concatenate([landmarks.window.T, paths[0][:1], *map(_point, landmarks.points)])
        low, high = points.min(0), points.max(0)
        # The author's window has its own margins.
        return _window(low, high, 0.0, one_scale=True)
    points = np.concatenate([*_near(paths), *map(_point, landmarks.points)])
    low, high = points.min(0), points.max(0)
    size = float((high - low).max())
    if size <= 1e-6 * np.abs(points).max():
        # Nothing moves: the start may be the minimum, or the gradient zero or NaN.
        half = 0.5 * max(1.0, float(np.abs(points).max()))
        low, high = low - half, high + half
    return _window(low, high, MARGIN, one_scale=quadratic is not None)


def _point(landmark: tuple[str, np.ndarray]) -> np.ndarray:
    return landmark[1][None]


def _near(paths: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The parts of the runs that are worth a look; the start is always among them.

    Runs that leave are no reason to look from so far that the others are dots.
    """
    start = paths[0][0]
    with np.errstate(over="ignore"):
        distances = [np.linalg.norm(path - start, axis=1) for path in paths]
        ends = [
            far[np.isfinite(path).all(1)][-1] for far, path in zip(distances, paths, strict=True)
        ]
    reach = min(FAR * max(np.median(ends), 1e-3), 1e6)
    return [start[None], *(path[far <= reach] for path, far in zip(paths, distances, strict=True))]


def _window(low: np.ndarray, high: np.ndarray, margin: float, one_scale: bool) -> np.ndarray:
    """The window around a box, with a margin, and with one scale on both axes where that fits."""
    extent = np.maximum(high - low, 0.05 * (high - low).max())
    middle, extent = (low + high) / 2, extent * (1 + 2 * margin)
    width = max(extent[0] / ASPECT, extent[1])
    same = np.array([ASPECT, 1.0]) * width
    if one_scale or np.all(same <= MOST_STRETCH * extent):
        extent = same
    return np.stack([middle - extent / 2, middle + extent / 2], axis=1)


def runs_of(
    space: Space, optimizers: Mapping[str, GradientTransformation], steps: int
) -> dict[str, Trajectory]:
    """The run of each optimizer as it is given; without a key, if the function is random."""
    unravel = space.unravel or (lambda w: w)
    start = unravel(jnp.asarray(space.start))

    def without_key(params: Any) -> Any:
        return space.fun(params if space.unravel is None else ravel_pytree(params)[0])

    return {name: minimize(without_key, start, tx, steps) for name, tx in optimizers.items()}


def _numbers(given: Any) -> np.ndarray | None:
    """An array of finite numbers, None if it is none."""
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        return None
    return values if np.all(np.isfinite(values)) else None

"""The window of a plane that shows runs on it."""

from collections.abc import Sequence

import numpy as np

MARGIN = 0.2
"""The fraction of the extent of the runs that is left free on each side."""
ASPECT = 4 / 3
"""The ratio of width to height of a window with equal scales on both axes."""
FAR = 20.0
"""The largest distance from the start that is shown, in distances between start and end."""
MOST_STRETCH = 4.0
"""The largest ratio of extents for which both axes have the same scale."""


def window_of_runs(
    paths: Sequence[np.ndarray], points: Sequence[np.ndarray] = (), *, one_scale: bool = False
) -> np.ndarray:
    """The window around runs and around points, with a margin.

    Args:
        paths: the path of each run, of shape ``(steps + 1, 2)``, from a finite start; points that
            are not finite or very far from the start are ignored.
        points: other points that must be in the window, of shape ``(2,)``.
        one_scale: whether both axes always have the same scale.

    Returns:
        ((left, right), (bottom, top)).
    """
    everything = np.concatenate([*_near(paths), *(np.asarray(point)[None] for point in points)])
    low, high = everything.min(0), everything.max(0)
    size = float((high - low).max())
    if size <= 1e-6 * np.abs(everything).max():
        # No run moves: the start is a minimum, or the gradient is zero or NaN.
        half = 0.5 * max(1.0, float(np.abs(everything).max()))
        low, high = low - half, high + half
    return window_around(low, high, MARGIN, one_scale=one_scale)


def window_around(low: np.ndarray, high: np.ndarray, margin: float, one_scale: bool) -> np.ndarray:
    """The window around a box, with a margin, and equal scales unless the box is too narrow."""
    extent = np.maximum(high - low, 0.05 * (high - low).max())
    middle, extent = (low + high) / 2, extent * (1 + 2 * margin)
    width = max(extent[0] / ASPECT, extent[1])
    same = np.array([ASPECT, 1.0]) * width
    if one_scale or np.all(same <= MOST_STRETCH * extent):
        extent = same
    return np.stack([middle - extent / 2, middle + extent / 2], axis=1)


def _near(paths: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The parts of the runs that are to be shown; each includes the start.

    Runs that diverge are cut off, so that the others remain visible.
    """
    with np.errstate(over="ignore"):
        distances = [np.linalg.norm(path - path[0], axis=1) for path in paths]
        ends = [
            far[np.isfinite(path).all(1)][-1] for far, path in zip(distances, paths, strict=True)
        ]
    reach = min(FAR * max(np.median(ends), 1e-3), 1e6)
    return [path[far <= reach] for path, far in zip(paths, distances, strict=True)]

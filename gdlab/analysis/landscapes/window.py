"""The part of a plane that shows runs on it."""

from collections.abc import Sequence

import numpy as np

MARGIN = 0.2
"""The fraction of the extent of the runs that is left free on each side."""
ASPECT = 4 / 3
"""The width of a window with one scale, by its height."""
FAR = 20.0
"""The distance of a run, in distances between start and end, beyond which it leaves the window."""
MOST_STRETCH = 4.0
"""The ratio of extents up to which both axes have one scale."""


def window_of_runs(
    paths: Sequence[np.ndarray], points: Sequence[np.ndarray] = (), *, one_scale: bool = False
) -> np.ndarray:
    """The window around runs and around points, with a margin.

    Args:
        paths: where each run went, of shape ``(steps + 1, 2)``, from a finite start; what is not
            finite, or very far from the start, is left out.
        points: other points that have to be in it, of shape ``(2,)``.
        one_scale: whether both axes have one scale whatever the extents.

    Returns:
        ((left, right), (bottom, top)).
    """
    everything = np.concatenate([*_near(paths), *(np.asarray(point)[None] for point in points)])
    low, high = everything.min(0), everything.max(0)
    size = float((high - low).max())
    if size <= 1e-6 * np.abs(everything).max():
        # Nothing moves: the start may be the minimum, or the gradient zero or NaN.
        half = 0.5 * max(1.0, float(np.abs(everything).max()))
        low, high = low - half, high + half
    return window_around(low, high, MARGIN, one_scale=one_scale)


def window_around(low: np.ndarray, high: np.ndarray, margin: float, one_scale: bool) -> np.ndarray:
    """The window around a box, with a margin, and with one scale on both axes where that fits."""
    extent = np.maximum(high - low, 0.05 * (high - low).max())
    middle, extent = (low + high) / 2, extent * (1 + 2 * margin)
    width = max(extent[0] / ASPECT, extent[1])
    same = np.array([ASPECT, 1.0]) * width
    if one_scale or np.all(same <= MOST_STRETCH * extent):
        extent = same
    return np.stack([middle - extent / 2, middle + extent / 2], axis=1)


def _near(paths: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The parts of the runs that are worth a look; their starts are always among them.

    Runs that leave are no reason to look from so far that the others are dots.
    """
    with np.errstate(over="ignore"):
        distances = [np.linalg.norm(path - path[0], axis=1) for path in paths]
        ends = [
            far[np.isfinite(path).all(1)][-1] for far, path in zip(distances, paths, strict=True)
        ]
    reach = min(FAR * max(np.median(ends), 1e-3), 1e6)
    return [path[far <= reach] for path, far in zip(paths, distances, strict=True)]

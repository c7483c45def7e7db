"""Ranges of an axis in which training is stable, or nearly as good as at the best value.

Each range is found separately at every point of the other axes, among the values that were run.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.results.scoring import scores

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


class Edge(NamedTuple):
    """The largest stable value of an axis, with its bracket."""

    value: Any
    """The largest value at which no seed diverged; NaN where even the lowest one diverged."""
    bracket: tuple[Any, Any]
    """The largest stable value, and the first one above it at which a seed diverged, ∞ if none."""


def edge(result: "SweepResult", axis: str) -> Edge:
    """The upper end of the stable range, and its bracket; see :meth:`gdlab.SweepResult.edge`."""
    _, high, unstable = _stable(result, axis)
    return Edge(high, (high, unstable))


def stable_range(result: "SweepResult", axis: str) -> tuple[Any, Any]:
    """The ends of the range from the lowest value up in which no seed diverged."""
    low, high, _ = _stable(result, axis)
    return low, high


def basin(
    result: "SweepResult", axis: str, metric: str, tol: float, maximize: bool | None
) -> tuple[Any, Any]:
    """The ends of the contiguous range around the best value with scores within a factor of it.

    Raises:
        ValueError: if a score is negative.
    """
    maximize = is_maximized(metric, maximize)
    point_scores = scores(result, metric, maximize=maximize)
    if np.any(point_scores[np.isfinite(point_scores)] < 0):
        raise ValueError(f"{metric} has negative medians, of which a factor means nothing")

    def ends(values: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
        if not np.any(np.isfinite(scores)):
            return np.nan, np.nan
        best = int(np.argmax(scores) if maximize else np.argmin(scores))
        within = scores * tol >= scores[best] if maximize else scores <= scores[best] * tol
        outside = np.flatnonzero(~within)
        first = max(outside[outside < best], default=-1) + 1
        last = min(outside[outside > best], default=len(values)) - 1
        return values[first], values[last]

    return _along(result, axis, point_scores, ends, 2)


def _stable(result: "SweepResult", axis: str) -> tuple[Any, ...]:
    """The low and high end of the stable range, and the first value above it that diverged."""

    def ends(values: np.ndarray, diverged: np.ndarray) -> tuple[float, float, float]:
        count = int(np.argmax(diverged)) if diverged.any() else len(values)
        unstable = values[count] if count < len(values) else np.inf
        return (values[0], values[count - 1], unstable) if count else (np.nan, np.nan, unstable)

    return _along(result, axis, np.any(result.status == "diverged", axis=-1), ends, 3)


def _along(
    result: "SweepResult",
    axis: str,
    points: np.ndarray,
    function: Callable[[np.ndarray, np.ndarray], tuple[float, ...]],
    outputs: int,
) -> tuple[Any, ...]:
    """The outputs of a function along an axis, at each point of the other axes.

    Args:
        result: the result.
        axis: the axis.
        points: a number or a boolean for each point.
        function: a function of the sorted values that were run and the entries of ``points`` there.
        outputs: the number of values that the function returns.
    """
    position, values = _axis(result, axis)
    run = np.any(result.status != "not run", axis=-1)
    points, run = (np.moveaxis(array, position, -1) for array in (points, run))
    found = np.full((outputs, *points.shape[:-1]), np.nan)
    order = np.argsort(values, kind="stable")
    for index in np.ndindex(points.shape[:-1]):
        kept = order[run[index][order]]
        if kept.size:
            found[(slice(None), *index)] = function(values[kept], points[index][kept])
    return tuple(array if array.ndim else float(array) for array in found)


def _axis(result: "SweepResult", axis: str) -> tuple[int, np.ndarray]:
    """The position of the dimension along which an axis lies alone, and its values.

    Raises:
        ValueError: if there is no such axis, others change with it, or its values are no numbers.
    """
    if axis not in result.axes:
        raise ValueError(f"there is no axis {axis!r}; there are {', '.join(result.axes)}")
    dimension = result.axes[axis]
    others = [name for name, along in result.axes.items() if along == dimension and name != axis]
    if others and dimension != axis:
        raise ValueError(
            f"{axis!r} lies along {dimension!r} together with {', '.join(others)}: they change "
            "with its values, so that no stretch of it can be read off"
        )
    values = result.coords[axis]
    if values.dtype.kind not in "iuf":
        raise ValueError(
            f"{axis!r} chooses among {', '.join(map(str, values))}, which have no order: a stretch "
            "is one of an axis of numbers"
        )
    return result.dims.index(dimension), values

"""The scores of the points of a sweep: one number for each point, computed from its lanes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gdlab.sweeps.direction import is_maximized

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

Rule = Literal["median", "mean", "min", "max"]
RULES = {"median": np.nanmedian, "mean": np.nanmean, "min": np.nanmin, "max": np.nanmax}
FINISHED = ("ok", "converged")
"""The status of lanes that have a final value."""
SO_FAR = "loss_so_far"
"""The name of the score of a point if some of its lanes were interrupted."""


def lane_values(result: "SweepResult", metric: str) -> np.ndarray:
    """The metric of each lane, NaN where it diverged, was dropped or was not run.

    The final loss of a lane that was broken off is the last one that was recorded.

    Raises:
        ValueError: if there is no such metric.
    """
    known = {"final_loss": result.final_loss, **result.metrics}
    if metric not in known:
        raise ValueError(f"there is no metric {metric!r}; there are {', '.join(known)}")
    values = np.where(np.isin(result.status, FINISHED), known[metric], np.nan)
    if metric == "final_loss":
        values = np.where(result.status == "unfinished", _last_recorded(result.loss), values)
    return values


def _last_recorded(loss: np.ndarray) -> np.ndarray:
    """The last loss of each lane that is not NaN; NaN if there is none."""
    recorded = ~np.isnan(loss)
    last = loss.shape[-1] - 1 - np.argmax(recorded[..., ::-1], axis=-1)
    return np.take_along_axis(loss, last[..., None], axis=-1)[..., 0]


def scores(
    result: "SweepResult",
    metric: str = "final_loss",
    *,
    over: str | tuple[str, ...] = "seed",
    rule: Rule = "median",
    maximize: bool | None = None,
) -> np.ndarray:
    """The metric of each point, reduced along the dimensions ``over``; ±∞ is the worst.

    A lane without a value counts as the worst, but one that was not run does not count at all.

    Raises:
        ValueError: if there is no such metric or dimension, or nothing tells whether more of the
            metric is better.
    """
    values = lane_values(result, metric)
    worst = -np.inf if is_maximized(metric, maximize) else np.inf
    values = np.where(np.isnan(values), worst, values)
    not_run = result.status == "not run"
    positions = tuple(map(result.dims.index, reduced_dims(result, over)))
    hole = not_run & ~np.all(not_run, axis=positions, keepdims=True)
    return RULES[rule](np.where(hole, np.nan, values), axis=positions)


def best_index(
    result: "SweepResult",
    metric: str,
    *,
    over: str | tuple[str, ...],
    rule: Rule,
    maximize: bool | None,
) -> tuple[int, ...]:
    """The position of the best point; see :meth:`gdlab.SweepResult.best_index`.

    Raises:
        ValueError: if no point has a finite score.
    """
    maximize = is_maximized(metric, maximize)
    point_scores = scores(result, metric, over=over, rule=rule, maximize=maximize)
    index = best_position(point_scores, maximize)
    if index is None:
        raise ValueError(f"no point has a finite {metric}: none of them trained to its end")
    return index


def best(
    result: "SweepResult",
    metric: str,
    *,
    over: str | tuple[str, ...],
    rule: Rule,
    maximize: bool | None,
) -> dict[str, Any]:
    """The labels of the best point, and its score; see :meth:`gdlab.SweepResult.best`."""
    settings: dict[str, Any] = {"over": over, "rule": rule, "maximize": maximize}
    index = best_index(result, metric, **settings)
    score = float(scores(result, metric, **settings)[index])
    judged = [name for name in result.dims if name not in reduced_dims(result, over)]
    place = dict(zip(judged, index, strict=True))
    lanes = result.status[tuple(place.get(name, slice(None)) for name in result.dims)]
    name = SO_FAR if np.any(lanes == "unfinished") else metric
    return point_labels(result, place) | {name: score}


def point_labels(result: "SweepResult", place: Mapping[str, int]) -> dict[str, Any]:
    """The values of the axes at a point, and the labels of dimensions without an axis.

    Args:
        result: the result of a sweep.
        place: dimension → index along it.
    """
    labels = {}
    for dimension, position in place.items():
        names = [name for name, along in result.axes.items() if along == dimension]
        for name in names or [dimension]:
            labels[name] = result.coords[name][position].item()
    return labels


def reduced_dims(result: "SweepResult", over: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names in ``over``, each of which must be a dimension of a lane."""
    names = (over,) if isinstance(over, str) else tuple(over)
    for name in names:
        if name not in result.dims:
            raise ValueError(
                f"over: there is no dimension {name!r}; there are {', '.join(result.dims)}"
            )
    return names


def best_position(scores: np.ndarray, maximize: bool) -> tuple[int, ...] | None:
    """The position of the best score, None if no score is finite."""
    if not np.any(np.isfinite(scores)):
        return None
    ordered = np.where(np.isfinite(scores), -scores if maximize else scores, np.inf)
    return tuple(int(i) for i in np.unravel_index(np.argmin(ordered), scores.shape))

"""The data of a result's page: numbers as positions and colours, and curves in few bytes."""

import base64
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.report.contestants import Contestant, Measure
from gdlab.sweeps.report.judgement import label, number
from gdlab.sweeps.results.color_scale import color_scale
from gdlab.sweeps.results.spacing import SPACED, USUAL_DECAYS, spacing, spans_decades

MOST_STEPS = 120
"""The largest number of points of a curve."""
MISSING = 2**16 - 1
"""The 16-bit code of a missing loss."""
MOST_VALUES = 24
"""The largest number of different values for which each value has a tick and a row of cells."""
MOST_TICKS = 8
"""The largest number of ticks at round numbers on an axis."""
ABOVE_START = 10.0
"""Curves are cut off above this multiple of the largest initial loss."""


def page_data(contestants: Sequence[Contestant], measure: Measure) -> dict[str, Any]:
    """The data that the scripts of a page read.

    Args:
        contestants: every optimizer on every problem.
        measure: the metric that is shown first.
    """
    problems = dict.fromkeys(contestant.problem for contestant in contestants)
    return {
        "metric": measure.metric,
        "problems": [
            _problem(name, [each for each in contestants if each.problem == name], measure)
            for name in problems
        ],
    }


def _problem(name: str, rivals: Sequence[Contestant], measure: Measure) -> dict[str, Any]:
    """The points, metrics and curves of one problem.

    Args:
        name: the name of the problem.
        rivals: the optimizers on it.
        measure: the metric that is shown first.
    """
    labels = [
        ({"optimizer": each.optimizer} if each.optimizer else {}) | each.labels(point)
        for each in rivals
        for point in range(len(each.values(measure)))
    ]
    statuses = [each.result.status.reshape(-1, len(each.seeds)) for each in rivals]
    return {
        "name": name,
        "coordinates": _coordinates(rivals, labels),
        "points": len(labels),
        "failures": [_failure(lanes) for status in statuses for lanes in status],
        "metrics": [_metric(each, rivals) for each in _measures(rivals, measure)],
        "curves": _curves(rivals),
    }


def _measures(rivals: Sequence[Contestant], measure: Measure) -> list[Measure]:
    """The measure that is shown first, and the other metrics whose direction is known."""
    names = ["final_loss", *rivals[0].result.metrics]
    found = [measure]
    for name in names:
        shared = name == "final_loss" or all(name in each.result.metrics for each in rivals)
        try:
            other = Measure(name, is_maximized(name))
        except ValueError:
            continue
        if shared and name != measure.metric:
            found.append(other)
    return found


def _failure(lanes: np.ndarray) -> str:
    """The reason why a point has no score; the empty string if it has one."""
    return "diverged" if np.any(lanes == "diverged") else "not run to the end"


def _coordinates(
    rivals: Sequence[Contestant], labels: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The coordinate of each axis, and of the optimizers if there are several."""
    names = dict.fromkeys(name for point in labels for name in point)
    axes = {name for each in rivals for name in each.result.axes}
    wanted = [name for name in names if name in axes or name == "optimizer"]
    found = [coordinate([point.get(name) for point in labels]) for name in wanted]
    return [{"name": name, **each} for name, each in zip(wanted, found, strict=True)]


def coordinate(values: Sequence[Any]) -> dict[str, Any]:
    """The places of values on an axis, None for a missing value.

    Returns:
        A dictionary of ``heights`` from 0 to 1, ``ticks`` as pairs of height and text, ``texts`` of
        the values and, unless there are too many different values, the texts of these as ``values``
        and the ``ranks`` of all values among them.
    """
    known = [value for value in values if value is not None]
    different = list(dict.fromkeys(known)) if _has_names(known) else sorted(set(known))
    if _has_names(known):
        places = {value: (i + 0.5) / len(different) for i, value in enumerate(different)}
        ticks = [(places[value], str(value)) for value in different]
    else:
        places, ticks = _numbers(np.asarray(different, float))
    ranks = {value: i for i, value in enumerate(different)}
    few = len(different) <= MOST_VALUES
    return {
        "heights": [None if value is None else round(places[value], 4) for value in values],
        "ticks": [[round(float(height), 4), text] for height, text in ticks],
        "texts": [None if value is None else label(value) for value in values],
        "ranks": [None if value is None else ranks[value] for value in values] if few else None,
        "values": [label(value) for value in different] if few else None,
    }


def _has_names(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str | bool) for value in values)


def _numbers(values: np.ndarray) -> tuple[dict[float, float], list[tuple[float, str]]]:
    """The height of each sorted number, and ticks: at each number, or at round ones if many."""
    low, high = values[0], values[-1]
    if low == high:
        return {low: 0.5}, [(0.5, label(low))]
    scale = spacing(values)
    forward = SPACED[scale][0]
    ends = float(forward(low)), float(forward(high))

    def height(value: Any) -> float:
        return float((forward(value) - ends[0]) / (ends[1] - ends[0]))

    at = values if len(values) <= MOST_VALUES else _usual_ticks(low, high, scale)
    return {value: height(value) for value in values.tolist()}, [(height(v), label(v)) for v in at]


def _usual_ticks(low: float, high: float, scale: str) -> list[float]:
    """The two ends of an axis, and round numbers between them."""
    if scale == "log":
        between = [10.0**e for e in range(-300, 300) if low < 10.0**e < high]
    elif scale == "decay":
        between = [beta for beta in USUAL_DECAYS if low < beta < high]
    else:
        decade = 10 ** np.floor(np.log10((high - low) / MOST_TICKS))
        step = next(f * decade for f in (1, 2, 5, 10) if f * decade * MOST_TICKS >= high - low)
        between = (np.arange(np.floor(low / step) + 1, high / step) * step).tolist()
    return [low, *between, high]


def _metric(measure: Measure, rivals: Sequence[Contestant]) -> dict[str, Any]:
    """The scores of all points by a metric, with their colours, and their heights on an axis."""
    scores = np.concatenate([each.scores(measure) for each in rivals])
    scores = np.where(np.isfinite(scores), scores, np.nan)
    lanes = [row for each in rivals for row in each.values(measure)]
    colors = color_scale(scores, measure.maximize)
    places = np.linspace(0, 1, 5)
    heights, ticks = _metric_heights(scores, measure.maximize)
    ranked = np.argsort(measure.sign * scores, kind="stable")
    return {
        "name": measure.metric,
        "words": measure.words(),
        "maximize": measure.maximize,
        "scores": [_digits(score) for score in scores],
        "lanes": [[_digits(value) for value in row] for row in lanes],
        "ranked": [int(i) for i in ranked if np.isfinite(scores[i])],
        "colors": [_place(place) for place in colors.places(scores)],
        "legend": [number(score) for score in colors.scores(places)],
        "heights": [_place(height) for height in heights],
        "ticks": ticks,
    }


def _metric_heights(scores: np.ndarray, maximize: bool) -> tuple[np.ndarray, list[list[Any]]]:
    """The heights of scores on their axis, and its ticks.

    The axis of a loss that spans decades is logarithmic; zeros stand at its lower end.
    """
    finite = scores[np.isfinite(scores)]
    if not finite.size:
        return scores, []
    least, high = float(np.min(finite)), float(np.max(finite))
    if least == high:
        return np.where(np.isfinite(scores), 0.5, np.nan), [[0.5, number(least)]]
    scale, low = ("linear", least) if maximize else _scale_of_losses(finite)
    forward = SPACED[scale][0]
    ends = float(forward(low)), float(forward(high))

    def height(score: Any) -> Any:
        return (forward(np.maximum(score, low)) - ends[0]) / (ends[1] - ends[0])

    ticks = [least, *_usual_ticks(low, high, scale)[1:]]
    return height(scores), [[round(float(height(tick)), 4), number(tick)] for tick in ticks]


def _scale_of_losses(finite: np.ndarray) -> tuple[Literal["log", "linear"], float]:
    """The scale of the losses, and its lower end, where zeros are drawn too."""
    shown = finite[finite > 0] if np.all(finite >= 0) else finite
    if spans_decades(shown):
        return "log", float(np.min(shown))
    return "linear", float(np.min(finite)) if finite.size else 0.0


def _curves(rivals: Sequence[Contestant]) -> dict[str, Any]:
    """The recorded losses of all lanes, quantised to 16 bits between two ends of a scale."""
    recorded = rivals[0].result.coords["step"]
    chosen = np.unique(np.linspace(0, len(recorded) - 1, MOST_STEPS).round().astype(int))
    if any(not np.array_equal(each.result.coords["step"], recorded) for each in rivals):
        chosen = chosen[:0]
    losses = [each.result.loss[..., chosen] for each in rivals if len(chosen)]
    losses = [loss.reshape(-1, *loss.shape[-2:]) for loss in losses]
    everything = np.concatenate([loss.ravel() for loss in losses] or [np.array([np.nan])])
    starts = np.concatenate([loss[..., 0].ravel() for loss in losses] or [np.array([np.nan])])
    finite = everything[np.isfinite(everything)]
    scale, low = _scale_of_losses(finite)
    forward = SPACED[scale][0]
    high = float(np.max(finite)) if finite.size else 1.0
    if np.isfinite(starts).any() and scale == "log":
        high = min(high, max(ABOVE_START * float(np.nanmax(starts)), low))
    ends = float(forward(low)), float(forward(high))
    span = ends[1] - ends[0] or 1.0
    codes = [
        np.clip((forward(np.clip(loss, low, high)) - ends[0]) / span, 0, 1) * (MISSING - 1)
        for loss in losses
    ]
    filled = [np.where(np.isfinite(each), np.round(each), MISSING) for each in codes]
    packed = b"".join(each.astype("<u2").tobytes() for each in filled)
    return {
        "steps": recorded[chosen].tolist(),
        "scale": scale,
        "low": ends[0],
        "high": ends[1],
        "seeds": [len(each.seeds) for each in rivals for _ in range(_points(each))],
        "losses": base64.b64encode(packed).decode(),
    }


def _points(contestant: Contestant) -> int:
    return int(np.prod(contestant.result.status.shape[:-1]))


def _digits(value: Any) -> float | None:
    """A number to four digits, ``None`` if it is not finite."""
    return float(f"{value:.4g}") if np.isfinite(value) else None


def _place(value: Any) -> float | None:
    """A place on a scale to four decimals, ``None`` if it is not finite."""
    return round(float(value), 4) if np.isfinite(value) else None

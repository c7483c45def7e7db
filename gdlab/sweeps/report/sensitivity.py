"""The range of each hyperparameter in which results are nearly as good as the best."""

import dataclasses
from typing import ClassVar

import numpy as np

from gdlab.core.representation import in_words
from gdlab.sweeps.report.contestants import Contestant, Measure
from gdlab.sweeps.report.judgement import OptimizerJudgement, label, number
from gdlab.sweeps.results.ranges import basin


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Sensitivity(OptimizerJudgement):
    """The range of an axis, around the best point, in which scores are nearly as good."""

    kind: ClassVar[str] = "sensitivity"
    heading: ClassVar[str] = "Sensitivity"
    metric: str
    axis: str
    tolerance: float
    """The factor of the best score that counts as nearly as good."""
    low: float
    high: float
    factor: float
    """The width of the range as the ratio of its ends; NaN if an end is not positive."""
    open_below: bool
    """True if the range begins at the smallest value that was tried."""
    open_above: bool
    """True if the range ends at the largest value that was tried."""

    @property
    def sentence(self) -> str:
        """The range, and its width as a factor."""
        of = f" of {self.subject}" if self.subject else ""
        text = (
            f"{self.axis}{of} keeps the {in_words(self.metric)} "
            f"within a factor of {number(self.tolerance)} of the best"
        )
        if self.low == self.high:
            return f"{text} at no tried value but {label(self.low)}."
        text += f" from {label(self.low)} to {label(self.high)}"
        least = "at least " if self.open_below or self.open_above else ""
        if self.factor > 1:
            text += f", {least}a factor of {number(self.factor)} wide"
        return f"{text}."


def sensitivities_of(
    contestant: Contestant, measure: Measure, tolerance: float
) -> list[Sensitivity]:
    """Judge every axis of several numbers that is a dimension, with all others at the best point.

    Axes that were sampled together are left out, since none of them varies alone. Nothing is judged
    if scores are negative, since a factor of a negative score is meaningless.
    """
    result, point = contestant.result, contestant.best_point(measure)
    point_scores = contestant.scores(measure)
    if point is None or np.any(point_scores[np.isfinite(point_scores)] < 0):
        return []
    place = dict(
        zip(result.dims[:-1], np.unravel_index(point, result.status.shape[:-1]), strict=True)
    )
    found = []
    for axis, dimension in result.axes.items():
        values = result.coords[axis]
        if axis != dimension or len(values) < 2 or values.dtype.kind not in "iuf":
            continue
        at_best = tuple(i for name, i in place.items() if name != dimension)
        ends = basin(result, axis, measure.metric, tolerance, measure.maximize)
        low, high = (float(np.asarray(end)[at_best]) for end in ends)
        found.append(
            Sensitivity(
                problem=contestant.problem,
                optimizer=contestant.optimizer,
                metric=measure.metric,
                axis=axis,
                tolerance=tolerance,
                low=low,
                high=high,
                factor=high / low if low > 0 else np.nan,
                open_below=low == np.min(values),
                open_above=high == np.max(values),
            )
        )
    return found

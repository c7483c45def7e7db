"""The best point of each optimizer, and the value that a new seed is expected to have there."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from gdlab.core.representation import in_words
from gdlab.sweeps.report.contestants import Contestant, Measure
from gdlab.sweeps.report.judgement import (
    OptimizerJudgement,
    number,
    plural,
    point_in_words,
)
from gdlab.sweeps.report.statistics import mean_interval


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class BestPoint(OptimizerJudgement):
    """The best point of an optimizer on a problem."""

    kind: ClassVar[str] = "best"
    heading: ClassVar[str] = "Best points"
    metric: str
    point: dict[str, Any]
    """The value of each axis at the best point."""
    median: float
    """The median of the metric over the seeds at the best point."""
    mean: float
    """The mean over the seeds, each evaluated at the point that is best on all other seeds."""
    low: float
    """The lower end of the confidence interval of ``mean``; NaN for one seed."""
    high: float
    seeds: int
    points: int
    """The number of points that were tried."""
    failed: int
    """The number of points where some seed diverged or did not train to its end."""

    @property
    def sentence(self) -> str:
        """The best point with its score and its interval."""
        name = self.optimizer or "The best point"
        metric = in_words(self.metric)
        place = f" at {point_in_words(self.point)}" if self.point else ""
        verb = " is best" if self.optimizer else " stands" if place else " has"
        text = f"{name}{verb}{place}{self.on_problem}: {metric} {number(self.median)}"
        if self.low < self.high:
            text += (
                f"; a new seed would give {number(self.mean)} (mean of {self.seeds} seeds, "
                f"interval {number(self.low)} to {number(self.high)})"
            )
        if self.failed:
            text += f"; at {self.failed} of {plural(self.points, 'point')} a seed failed"
        return f"{text}."

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row, with a column for each axis."""
        (row,) = super().rows
        point = row.pop("point")
        return [row | {f"best {name}": value for name, value in point.items()}]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NothingTrained(OptimizerJudgement):
    """An optimizer with which no point trained to its end."""

    kind: ClassVar[str] = "best"
    heading: ClassVar[str] = "Best points"
    points: int

    @property
    def sentence(self) -> str:
        """The failure, and the advice to try smaller learning rates."""
        return (
            f"{self.optimizer or 'The sweep'}{self.on_problem} came to its end at none of "
            f"{plural(self.points, 'point')}: try smaller learning rates."
        )

    @property
    def is_alarm(self) -> bool:
        """True, always."""
        return True


def best_point(contestant: Contestant, measure: Measure, confidence: float) -> OptimizerJudgement:
    """Judge the best point of one optimizer on one problem."""
    point, values = contestant.best_point(measure), contestant.values(measure)
    names: dict[str, Any] = {"problem": contestant.problem, "optimizer": contestant.optimizer}
    if point is None:
        return NothingTrained(**names, points=len(values))
    on_new_seeds = contestant.tuned_on_other_seeds(measure)
    low, high = mean_interval(on_new_seeds, confidence)
    return BestPoint(
        **names,
        metric=measure.metric,
        point=contestant.labels(point),
        median=float(contestant.scores(measure)[point]),
        mean=float(np.mean(on_new_seeds)),
        low=low,
        high=high,
        seeds=len(contestant.seeds),
        points=len(values),
        failed=int(np.sum(np.any(np.isnan(values), axis=1))),
    )

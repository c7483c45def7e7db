"""The place of the best point within the range of each axis."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from gdlab.sweeps.report.contestants import Contestant, Measure
from gdlab.sweeps.report.judgement import OptimizerJudgement, enumeration, label
from gdlab.sweeps.results.spacing import SPACED, spacing

EDGE_SHARE = 0.05
"""The share of a sampled range that counts as its edge, on either side."""
SAMPLED_STEPS = 4
"""The number of steps into which a sampled range is divided to suggest values beyond it."""
STEPS_BEYOND = 2
"""The number of values beyond an edge that are suggested."""
Side = Literal["inside", "lowest", "highest"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RangeOfAxis(OptimizerJudgement):
    """The place of the best value within the range of an axis."""

    kind: ClassVar[str] = "range"
    heading: ClassVar[str] = "Ranges"
    axis: str
    best: float
    low: float
    """The smallest value that was tried."""
    high: float
    """The largest value that was tried."""
    tried: int
    """The number of different values that were tried."""
    side: Side
    """The place of the best value among those tried: inside, or at the lowest or highest."""
    is_natural: bool
    """True if no valid value lies beyond the end, as beyond a momentum of 0."""
    suggested: tuple[float, ...]
    """Values beyond the edge that are worth a try."""

    @property
    def is_alarm(self) -> bool:
        """True if the best value lies at an end beyond which there may be a better one."""
        return self.side != "inside" and not self.is_natural

    @property
    def sentence(self) -> str:
        """The place of the best value, and which values to try if it lies at the edge."""
        of = f" of {self.subject}" if self.subject else ""
        name = f"The best {self.axis}{of}, {label(self.best)},"
        values = f"the {self.tried} values from {label(self.low)} to {label(self.high)}"
        if self.side == "inside":
            return f"{name} lies inside the range of {values}."
        at = "near" if self.best not in (self.low, self.high) else "at"
        text = f"{name} is {at} the {self.side} end of {values}"
        if self.is_natural:
            return f"{text}, which is the natural one."
        wanted = enumeration([label(value) for value in self.suggested])
        return f"{text}: a better one may lie beyond. Try {wanted}."


def ranges_of(contestant: Contestant, measure: Measure) -> list[RangeOfAxis]:
    """Judge every axis that has several numbers; choices among other things have no range."""
    result, point = contestant.result, contestant.best_point(measure)
    if point is None:
        return []
    best = contestant.labels(point)
    found = []
    for axis, dimension in result.axes.items():
        values = np.unique(result.coords[axis])
        if len(values) > 1 and values.dtype.kind in "iuf":
            sampled = dimension not in result.axes
            found.append(_range(contestant, axis, best[axis], values, sampled=sampled))
    return found


def _range(
    contestant: Contestant, axis: str, best: float, values: np.ndarray, *, sampled: bool
) -> RangeOfAxis:
    forward = SPACED[spacing(values)][0]
    low, high, place = (float(forward(value)) for value in (values[0], values[-1], best))
    margin = EDGE_SHARE * (high - low) if sampled else 0.0
    side: Side = "inside"
    if place <= low + margin:
        side = "lowest"
    elif place >= high - margin:
        side = "highest"
    is_natural = side == "lowest" and values[0] == 0
    count = SAMPLED_STEPS if sampled else len(values) - 1
    suggested = () if side == "inside" or is_natural else _beyond(values, side, count)
    return RangeOfAxis(
        problem=contestant.problem,
        optimizer=contestant.optimizer,
        axis=axis,
        best=best,
        low=values[0].item(),
        high=values[-1].item(),
        tried=len(values),
        side=side,
        is_natural=bool(is_natural),
        suggested=suggested,
    )


def _beyond(values: np.ndarray, side: Side, count: int) -> tuple[float, ...]:
    """Values beyond an end of the range, spaced as those within it, but at most a decade apart.

    Args:
        values: the sorted values.
        side: the end.
        count: the number of steps into which the range is divided.
    """
    scale = spacing(values)
    if scale == "linear" and values[0] >= 0 and values[-1] < 1:
        # Beyond the high end decays approach 1, beyond the low end all values approach 0.
        scale = "decay" if side == "highest" else "log"
    if scale == "linear" and side == "lowest" and values[0] > 0:
        scale = "log"  # on which no value lies beyond 0
    forward, inverse = SPACED[scale]
    ends = np.asarray(forward(values[[0, -1]]), float)
    step = (ends[1] - ends[0]) / count if np.all(np.isfinite(ends)) else 1.0
    if scale != "linear":
        step = min(step, 1.0)
    if scale == "decay" and side == "lowest":
        step = min(step, ends[0] / STEPS_BEYOND)  # so that no value lies below 0
    steps = step * np.arange(1, STEPS_BEYOND + 1)
    found = inverse(ends[1] + steps if side == "highest" else ends[0] - steps)
    if values.dtype.kind in "iu":
        found = np.rint(found)
    return tuple(dict.fromkeys(float(f"{value:.2g}") for value in np.asarray(found)))

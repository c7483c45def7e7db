"""The judgement whether a learning rate transfers from one size to another."""

import dataclasses
import math
from typing import Annotated, TypeAlias

from gdlab.checks.kinds import Between
from gdlab.scaling.laws.fieller import Interval
from gdlab.scaling.laws.optimum import Optimum

Tolerance: TypeAlias = Annotated[float, Between(0)]
"""The largest shift that counts as none, in steps of the grid."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transfer:
    """The shift of the best learning rate between two sizes, with a judgement."""

    size: str
    """The name of the size."""
    between: tuple[float, float]
    """The two values of the size."""
    elsewhere: dict[str, float]
    """The other sizes, which are the same for both."""
    shift: float
    """The shift of the best rate in steps of the grid, positive where it rises."""
    interval: Interval
    """The confidence interval of the shift; infinite if the tried rates leave an optimum open."""
    step: float
    """The factor between neighbouring rates of the grid."""
    tolerance: float
    """The largest shift that counts as none, in steps of the grid."""
    cost: float
    """The relative increase of the loss at the second size if trained with the best rate of the
    first; ∞ if it diverges, NaN if the rate was not tried or the loss is not positive."""
    confidence: float
    notes: tuple[str, ...] = ()
    """The warnings of the two fits."""

    @property
    def transfers(self) -> bool | None:
        """True if the interval lies within the tolerance, False if outside, None if undecided."""
        low, high = self.interval
        if -self.tolerance <= low and high <= self.tolerance:
            return True
        if low > self.tolerance or high < -self.tolerance:
            return False
        return None

    @property
    def sentence(self) -> str:
        """The judgement in words."""
        first, second = (f"{self.size} {size:g}" for size in self.between)
        where = ", ".join(f"{name} {size:g}" for name, size in self.elsewhere.items())
        low, high = self.interval
        moves = (
            f"from {first} to {second}{f' at {where}' if where else ''} the optimum moves by "
            f"{self.shift:+.1f} grid steps of ×{self.step:.3g} "
            f"({self.confidence:.0%} interval {low:+.1f} to {high:+.1f})"
        ).replace("-", "−")
        within = f"{self.tolerance:g} step{'' if self.tolerance == 1 else 's'}"
        judgement = {
            True: f"The learning rate transfers: {moves}, which is within {within}.",
            False: f"The learning rate drifts: {moves}, which is more than {within}.",
            None: f"It is undecided whether the learning rate transfers: {moves}, which is neither "
            f"within {within} nor beyond; more seeds or more rates would tell.",
        }[self.transfers]
        return " ".join([judgement, *self._cost(first, second), *self._notes()])

    def _cost(self, first: str, second: str) -> list[str]:
        if math.isnan(self.cost):
            return []
        if math.isinf(self.cost):
            return [f"With the best rate of {first}, {second} diverges."]
        part = f"{100 * self.cost:.3g} %" if self.cost < 1 else f"a factor of {1 + self.cost:.3g}"
        return [f"With the best rate of {first}, the loss of {second} is {part} above its least."]

    def _notes(self) -> list[str]:
        return [f"Note: {note}." for note in self.notes]

    def __repr__(self) -> str:
        return self.sentence


def transfer_between(
    first: Optimum,
    second: Optimum,
    *,
    size: str,
    between: tuple[float, float],
    elsewhere: dict[str, float],
    step: float,
    tolerance: float,
) -> Transfer:
    """Judge the transfer between two cells that differ in one size.

    The interval of the difference follows from those of the two optima by the method of variance
    estimates recovery, which allows asymmetric intervals: with d = b − a, d − √((b − l_b)² + (u_a −
    a)²) to d + √((u_b − b)² + (a − l_a)²).

    Source: G. Y. Zou, A. Donner, Construction of confidence limits about effect measures, 2008.
    """
    unit = math.log2(step)
    (a, (low_a, high_a)), (b, (low_b, high_b)) = _logs(first), _logs(second)
    shift = b - a
    low = shift - math.hypot(b - low_b, high_a - a)
    high = shift + math.hypot(high_b - b, a - low_a)
    notes = [
        f"at {size} {at:g} {optimum.warning}"
        for at, optimum in zip(between, (first, second), strict=True)
        if optimum.warning
    ]
    return Transfer(
        size=size,
        between=between,
        elsewhere=elsewhere,
        shift=shift / unit,
        interval=(low / unit, high / unit),
        step=step,
        tolerance=tolerance,
        cost=_cost(first, second),
        confidence=first.confidence,
        notes=tuple(notes),
    )


def _logs(optimum: Optimum) -> tuple[float, Interval]:
    low, high = optimum.interval
    return math.log2(optimum.rate), (math.log2(low) if low else -math.inf, math.log2(high))


def _cost(first: Optimum, second: Optimum) -> float:
    if second.transform != "log":
        return math.nan
    more = math.expm1(second.value_at(first.rate) - second.value_at(second.rate))
    # Because of noise the smallest measured loss may be at a rate beside the fitted best rate.
    return more if math.isnan(more) else max(0.0, more)

"""The differences between optimizers, and their significance over the seeds."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from gdlab.core.representation import in_words
from gdlab.sweeps.report.contestants import Contestant, Measure
from gdlab.sweeps.report.judgement import Judgement, number, plural
from gdlab.sweeps.report.statistics import adjusted, paired_comparison, seeds_needed


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Difference(Judgement):
    """The difference of two optimizers, paired by seed, each tuned on the other seeds."""

    kind: ClassVar[str] = "difference"
    heading: ClassVar[str] = "Differences"
    better: str
    other: str
    metric: str
    seeds: int
    by_seed: np.ndarray
    """The advantage of ``better`` on each seed, of shape (seeds,)."""
    mean: float
    low: float
    """The lower end of the confidence interval of the mean, by Student's t."""
    high: float
    bootstrap_low: float
    """The lower end of the confidence interval of the mean, by resampling the seeds."""
    bootstrap_high: float
    p_value: float
    """The p value of the paired t test, adjusted by Holm's method for all pairs of optimizers."""
    wins: int
    """The number of seeds on which ``better`` is better."""
    losses: int
    sign_p_value: float
    """The p value of the sign test, not adjusted."""
    confidence: float
    power: float
    seeds_needed: float
    """The number of seeds with which a difference of this size is found with probability
    ``power``."""

    @property
    def is_significant(self) -> bool:
        """True if the p value is below one minus the confidence."""
        return self.p_value < 1 - self.confidence

    @property
    def sentence(self) -> str:
        """The verdict, the interval, and the number of seeds that a claim would need."""
        where = self.on_problem
        metric = in_words(self.metric)
        if self.seeds < 2:
            return (
                f"One seed cannot tell whether {self.better} is better than {self.other}{where}: "
                "give several, such as seeds=8."
            )
        won = f"better on {self.wins} of {self.seeds} seeds"
        if not np.isfinite(self.mean):
            return (
                f"{self.better} is {won} than {self.other}{where}, where runs of other seeds "
                f"diverged (sign test p = {number(self.sign_p_value)})."
            )
        if np.ptp(self.by_seed) == 0 and self.mean:
            return (
                f"{self.better} is better than {self.other}{where} in {metric} by "
                f"{number(self.mean)} on every seed alike: nothing here is random, so that more "
                "seeds tell no more."
            )
        by = (
            f"{number(self.mean)} (interval {number(self.low)} to {number(self.high)}, {won}, "
            f"p = {number(self.p_value)})"
        )
        if self.is_significant:
            return f"{self.better} beats {self.other}{where} in {metric} by {by}."
        if np.isfinite(self.seeds_needed):
            need = f"to find a difference of this size would take {self.seeds_needed:.0f} seeds"
        else:
            need = "no number of seeds that one could train would find one of this size"
        return (
            f"{plural(self.seeds, 'seed')} do not decide between {self.better} and "
            f"{self.other}{where}: the difference in {metric} is {by}; {need}."
        )


def differences_of(
    contestants: Sequence[Contestant], measure: Measure, confidence: float, power: float
) -> list[Difference]:
    """Compare all pairs of optimizers on one problem, the better one first."""
    tuned = [(c, c.tuned_on_other_seeds(measure)) for c in contestants]
    found = [
        _difference(one, other, measure, confidence, power)
        for one, other in itertools.combinations(tuned, 2)
    ]
    known = [i for i, each in enumerate(found) if np.isfinite(each.p_value)]
    for i, p_value in zip(
        known, adjusted(np.array([found[i].p_value for i in known])), strict=True
    ):
        found[i] = dataclasses.replace(found[i], p_value=float(p_value))
    return found


def _difference(
    one: tuple[Contestant, np.ndarray],
    other: tuple[Contestant, np.ndarray],
    measure: Measure,
    confidence: float,
    power: float,
) -> Difference:
    """The difference of two optimizers, each given with its values on the seeds."""
    seeds, mine, theirs = np.intersect1d(one[0].seeds, other[0].seeds, return_indices=True)
    # Two runs that both diverged are equally bad.
    with np.errstate(invalid="ignore"):
        gain = np.nan_to_num(
            measure.sign * (other[1][theirs] - one[1][mine]), nan=0.0, posinf=np.inf, neginf=-np.inf
        )
    names = one[0].optimizer, other[0].optimizer
    if np.sum(np.sign(gain)) < 0 if np.isinf(gain).any() else np.sum(gain) < 0:
        gain, names = -gain, names[::-1]
    # A single pair has no standard deviation and no p value.
    pairs = gain if len(seeds) > 1 else np.full(2, np.nan)
    compared = paired_comparison(pairs, confidence)
    effect = compared.mean  # an effect of zero, or NaN
    if effect:
        effect = effect / compared.deviation if compared.deviation > 0 else np.inf
    return Difference(
        problem=one[0].problem,
        better=names[0],
        other=names[1],
        metric=measure.metric,
        seeds=len(seeds),
        by_seed=gain,
        mean=compared.mean,
        low=compared.interval[0],
        high=compared.interval[1],
        bootstrap_low=compared.bootstrap[0],
        bootstrap_high=compared.bootstrap[1],
        p_value=compared.p_value,
        wins=int(np.sum(gain > 0)),
        losses=int(np.sum(gain < 0)),
        sign_p_value=compared.sign_p_value,
        confidence=confidence,
        power=power,
        seeds_needed=seeds_needed(effect, confidence, power) if len(seeds) > 1 else np.nan,
    )

"""The cost of tuning: the expected best score of k trials."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from gdlab.core.representation import in_words
from gdlab.sweeps.report.contestants import Contestant, Measure
from gdlab.sweeps.report.judgement import (
    Judgement,
    OptimizerJudgement,
    enumeration,
    number,
    plural,
)
from gdlab.sweeps.report.statistics import expected_minimum, mean_interval

ROUNDING = 1e-9
"""The relative rounding error that is allowed for in a quotient of two budgets."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ExpectedBest(OptimizerJudgement):
    """The expected best score of k trials, at points drawn at random without repetition."""

    kind: ClassVar[str] = "tuning"
    heading: ClassVar[str] = "Cost of tuning"
    metric: str
    by_seed: np.ndarray
    """The expected best of 1, …, n trials on each seed, of shape (seeds, n)."""
    evaluations: float
    """The mean number of evaluations of the loss that a trial cost."""
    confidence: float

    @property
    def expected(self) -> np.ndarray:
        """The mean over the seeds, of shape (n,)."""
        return np.mean(self.by_seed, axis=0)

    @property
    def trials(self) -> list[int]:
        """The numbers of trials that are listed: the powers of two, and that of all trials."""
        count = self.by_seed.shape[1]
        return [*(2**i for i in range(count.bit_length()) if 2**i < count), count]

    @property
    def sentence(self) -> str:
        """The expectation for some numbers of trials."""
        parts = [f"{number(self.expected[k - 1])} of {k}" for k in self.trials[:-1:2]]
        parts.append(f"{number(self.expected[-1])} of all {self.trials[-1]}")
        metric = in_words(self.metric)
        begin = f"{self.subject}: the" if self.subject else "The"
        return (
            f"{begin} best {metric} of trials drawn at random is expected to be "
            f"{enumeration(parts)}."
        )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each number of trials."""
        rows = []
        for k in self.trials:
            low, high = mean_interval(self.by_seed[:, k - 1], self.confidence)
            rows.append(
                {
                    "problem": self.problem,
                    "optimizer": self.optimizer,
                    "trials": k,
                    "evaluations": k * self.evaluations,
                    "expected": float(self.expected[k - 1]),
                    "low": low,
                    "high": high,
                }
            )
        return rows


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class EqualBudget(Judgement):
    """Optimizers compared at the same number of evaluations spent on tuning."""

    kind: ClassVar[str] = "budget"
    heading: ClassVar[str] = "At equal budget"
    metric: str
    maximize: bool
    budgets: np.ndarray
    """The multiples of the number of evaluations of the loss that a trial of the most expensive
    optimizer costs, of shape (budgets,)."""
    trials: dict[str, np.ndarray]
    """The number of trials of each optimizer that each budget pays for."""
    expected: dict[str, np.ndarray]
    """The expected best metric of each optimizer after so many trials."""

    @property
    def leaders(self) -> list[str]:
        """The optimizer with the best expectation at each budget."""
        table = np.stack(list(self.expected.values()))
        best = np.argmax(table, axis=0) if self.maximize else np.argmin(table, axis=0)
        return [list(self.expected)[i] for i in best]

    @property
    def sentence(self) -> str:
        """The leading optimizers, each with the budgets at which it leads."""
        stretches: list[tuple[str, int, int]] = []
        for i, name in enumerate(self.leaders, start=1):
            if stretches and stretches[-1][0] == name:
                stretches[-1] = (name, stretches[-1][1], i)
            else:
                stretches.append((name, i, i))
        where = self.on_problem
        last = stretches[-1][2]
        if len(stretches) == 1:
            return (
                f"{stretches[0][0]} is expected to be best{where} at every equal budget from 1 to "
                f"{plural(last, 'trial')}."
            )
        parts = [
            f"{name} with {begin}"
            + (f" to {end} trials" if end > begin else f" trial{'s' * (begin > 1)}")
            for name, begin, end in stretches
        ]
        return f"At equal budgets{where} the best is expected of {enumeration(parts)}."

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each budget."""
        return [
            {
                "problem": self.problem,
                "evaluations": float(budget),
                **{f"expected of {name}": float(v[i]) for name, v in self.expected.items()},
                "leader": self.leaders[i],
            }
            for i, budget in enumerate(self.budgets)
        ]


def expected_best(
    contestant: Contestant, measure: Measure, worst: float, confidence: float
) -> ExpectedBest | None:
    """Judge the tuning of one optimizer on one problem.

    Args:
        contestant: the optimizer and the problem.
        measure: the metric, with its direction.
        worst: the value that a failed run counts with.
        confidence: the confidence of the intervals.

    Returns:
        ``None`` if there is one point alone, so that nothing is tuned.
    """
    values = contestant.values(measure)
    if len(values) < 2:
        return None
    signed = measure.sign * np.where(np.isnan(values), worst, values)
    return ExpectedBest(
        problem=contestant.problem,
        optimizer=contestant.optimizer,
        metric=measure.metric,
        by_seed=measure.sign * expected_minimum(signed.T),
        evaluations=float(np.mean(contestant.result.evaluations)),
        confidence=confidence,
    )


def worst_value(contestants: Sequence[Contestant], measure: Measure) -> float:
    """The worst finite value, which failed runs count with."""
    values = np.concatenate([contestant.values(measure).ravel() for contestant in contestants])
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.nan
    return float(np.min(finite) if measure.maximize else np.max(finite))


def equal_budget(tunings: Sequence[ExpectedBest], measure: Measure) -> EqualBudget | None:
    """Compare what optimizers are expected to reach on one problem at equal budgets."""
    if len(tunings) < 2:
        return None
    trial_cost = max(tuning.evaluations for tuning in tunings)
    largest = min(tuning.evaluations * tuning.by_seed.shape[1] for tuning in tunings)
    budgets = trial_cost * np.arange(1, _whole_trials(largest / trial_cost) + 1)
    if not budgets.size:
        return None
    trials = {t.optimizer: _whole_trials(budgets / t.evaluations) for t in tunings}
    return EqualBudget(
        problem=tunings[0].problem,
        metric=measure.metric,
        maximize=measure.maximize,
        budgets=budgets,
        trials=trials,
        expected={t.optimizer: t.expected[trials[t.optimizer] - 1] for t in tunings},
    )


def _whole_trials(quotients: Any) -> Any:
    """The whole numbers of trials that budgets pay for.

    Args:
        quotients: budgets over the costs of a trial, which may be rounded down.
    """
    return (np.asarray(quotients) + ROUNDING).astype(int)

"""The steps that optimizers need to reach a target loss, and their performance profiles."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from gdlab.sweeps.report.contestants import Contestant
from gdlab.sweeps.report.judgement import (
    Judgement,
    OptimizerJudgement,
    number,
    plural,
    point_in_words,
)

MISSING_SHARE = 0.1
"""The part of the largest reduction of the loss that is still missing at the default target."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class StepsToTarget(OptimizerJudgement):
    """The steps that an optimizer needs to reach a target, at the point that is fastest."""

    kind: ClassVar[str] = "target"
    heading: ClassVar[str] = "Time to target"
    point: dict[str, Any]
    targets: np.ndarray
    """The target loss of each seed, of shape (seeds,)."""
    steps: np.ndarray
    """The first recorded step at which the target is reached, of shape (seeds,); ∞ if never."""
    evaluations: np.ndarray
    """The number of evaluations of the loss up to that step, of shape (seeds,)."""

    @property
    def sentence(self) -> str:
        """The median of steps and evaluations, and the number of seeds that reach the target."""
        subject = f"{self.optimizer or 'The sweep'}{self.on_problem}"
        loss = number(np.median(self.targets))
        reached = int(np.sum(np.isfinite(self.steps)))
        if not reached:
            return f"{subject} comes to a loss of {loss} at no point."
        place = f" at {point_in_words(self.point)}" if self.point else ""
        steps, evaluations = np.median(self.steps), np.median(self.evaluations)
        median = (
            f"in {plural(steps, 'step')} ({number(evaluations)} evaluations)"
            if np.isfinite(steps)
            else "on fewer than half of the seeds"
        )
        count = len(self.steps)
        seeds = f", on {reached} of {count} seeds" if 1 < count > reached else ""
        return f"{subject} comes to a loss of {loss} {median}{place}{seeds}."

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row, with a column for each axis."""
        row = {
            "problem": self.problem,
            "optimizer": self.optimizer,
            "target": float(np.median(self.targets)),
            "steps": float(np.median(self.steps)),
            "evaluations": float(np.median(self.evaluations)),
            "reached": int(np.sum(np.isfinite(self.steps))),
            "seeds": len(self.steps),
        }
        return [row | {f"{name} there": value for name, value in self.point.items()}]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PerformanceProfile(Judgement):
    """The share of tasks that each optimizer solves within a factor τ of the fastest.

    ρₛ(τ) = |{p : tₚₛ ≤ τ·minₛ tₚₛ}| / |{p}|, where tₚₛ is the number of evaluations of optimizer s
    on task p, a problem with a seed.

    Source: E. Dolan and J. Moré, Benchmarking optimization software with performance profiles,
    2002, eq. 2.1.
    """

    kind: ClassVar[str] = "profile"
    heading: ClassVar[str] = "Performance profile"
    ratios: dict[str, np.ndarray]
    """The evaluations of each optimizer relative to the fewest, of shape (tasks,); ∞ if it never
    reaches the target."""

    def share(self, optimizer: str, factor: float) -> float:
        """ρ: the share of tasks that an optimizer solves within a factor of the fastest."""
        return float(np.mean(self.ratios[optimizer] <= factor))

    @property
    def sentence(self) -> str:
        """The number of tasks on which each optimizer is fastest, or within a factor of 2 of it."""
        count = len(next(iter(self.ratios.values())))
        parts = [
            f"{name} is the fastest on {np.sum(ratios <= 1)} and within a factor of 2 of it on "
            f"{np.sum(ratios <= 2)}"
            + (f", and does not come there on {lost}" if (lost := np.sum(np.isinf(ratios))) else "")
            for name, ratios in self.ratios.items()
        ]
        return f"Of {plural(count, 'pair')} of problem and seed: {'; '.join(parts)}."

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each optimizer."""
        return [
            {
                "optimizer": name,
                "tasks": len(ratios),
                **{f"within {factor}": self.share(name, factor) for factor in (1, 2, 4, 8)},
                "solved": float(np.mean(np.isfinite(ratios))),
            }
            for name, ratios in self.ratios.items()
        ]


def steps_to_target(contestants: Sequence[Contestant], target: float | None) -> list[StepsToTarget]:
    """Count the steps that each optimizer needs to reach a target on one problem.

    Args:
        contestants: the optimizers.
        target: a loss; by default f + 0.1·(f₀ − f) on each seed, with f₀ the loss at the start and
            f the smallest final loss of any run (J. Moré and S. Wild, Benchmarking derivative-free
            optimization algorithms, 2009, eq. 2.2).
    """
    curves = [_curves(contestant) for contestant in contestants]
    if target is None:
        start = np.median(np.concatenate([each[:, :, 0] for each in curves]), axis=0)
        ends = np.concatenate([each[:, :, -1] for each in curves])
        if not np.all(np.any(np.isfinite(ends), axis=0)):
            return []
        lowest = np.nanmin(np.where(np.isfinite(ends), ends, np.nan), axis=0)
        targets = lowest + MISSING_SHARE * (start - lowest)
    else:
        targets = np.full(curves[0].shape[1], target)
    return [
        _soonest(contestant, losses, targets)
        for contestant, losses in zip(contestants, curves, strict=True)
    ]


def profile_of(arrivals: Sequence[StepsToTarget]) -> PerformanceProfile | None:
    """The performance profile of all optimizers over all problems and seeds.

    Returns:
        ``None`` if there are fewer than two optimizers, or they did not run on the same problems.
    """
    by_name: dict[str, dict[str, np.ndarray]] = {}
    for each in arrivals:
        by_name.setdefault(each.optimizer, {})[each.problem] = each.evaluations
    problems = [sorted(times) for times in by_name.values()]
    if len(by_name) < 2 or any(names != problems[0] for names in problems):
        return None
    times = np.stack(
        [np.concatenate([times[name] for name in problems[0]]) for times in by_name.values()]
    )
    fewest = np.min(times, axis=0)
    solved = np.isfinite(fewest)
    ratios = np.where(np.isfinite(times), times, np.inf) / np.where(solved, fewest, 1.0)
    return PerformanceProfile(ratios=dict(zip(by_name, ratios, strict=True)))


def _curves(contestant: Contestant) -> np.ndarray:
    """The loss of each point and seed at the recorded steps, of shape (points, seeds, steps)."""
    loss = contestant.result.loss
    return loss.reshape(-1, *loss.shape[-2:])


def _soonest(contestant: Contestant, losses: np.ndarray, targets: np.ndarray) -> StepsToTarget:
    """The point with the smallest median of steps; on ties, the one where most seeds arrive."""
    reached = losses <= targets[:, None]
    recorded = contestant.result.coords["step"]
    steps = np.where(reached.any(axis=-1), recorded[np.argmax(reached, axis=-1)], np.inf)
    failures = np.sum(np.isinf(steps), axis=1)
    point = int(np.lexsort([failures, np.median(steps, axis=1)])[0])
    stopped = contestant.result.stopped_at.reshape(len(losses), -1)[point]
    steps_taken = np.where(stopped >= 0, stopped, recorded[-1]) + 1
    evaluations = contestant.result.evaluations.reshape(len(losses), -1)[point]
    return StepsToTarget(
        problem=contestant.problem,
        optimizer=contestant.optimizer,
        point=contestant.labels(point),
        targets=targets,
        steps=steps[point],
        evaluations=(steps[point] + 1) * evaluations / steps_taken,
    )

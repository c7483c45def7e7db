"""Policies, which drop or change points of a sweep at some steps on the way.

At each rung a policy is given the remaining points with their scores, and decides which states
continue and with which hyperparameters. Between rungs the points only train.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple, Protocol, TypeAlias

import numpy as np

from gdlab.axes.grid import Points
from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Between, Count
from gdlab.sweeps.direction import is_maximized


class Ranking(NamedTuple):
    """The n points that remain at a rung, as a policy sees them."""

    bracket: int
    """The index of the bracket to which the points belong, from 0."""
    rung: int
    """The index of the rung within the bracket, from 0."""
    scores: np.ndarray
    """The median over seeds, of shape ``(n,)``: smaller is better, infinite where half of them
    failed."""
    points: Points
    """The hyperparameters of the points by name, each of shape ``(n,)``."""
    ranges: dict[str, tuple[float, float]]
    """The smallest and the largest value of each hyperparameter at the start of the sweep."""
    rng: np.random.Generator
    """The random generator of this rung."""


class Move(NamedTuple):
    """A policy's decision at a rung: n points before it, m points after it."""

    parents: np.ndarray
    """The index, among the n points, of the state that each of the m continues; shape ``(m,)``."""
    places: np.ndarray
    """The index, among the n points, under which each of the m is recorded; shape ``(m,)``."""
    points: Points
    """The hyperparameters after the rung, each of shape ``(m,)``."""


class Policy(Protocol):
    """The interface of a policy; any class that has it is one."""

    @property
    def metric(self) -> str:
        """The metric by which points are ranked: "loss", or the name of an evaluation metric."""
        ...

    @property
    def maximize(self) -> bool | None:
        """True if more of the metric is better, False if less is, None if its name tells."""
        ...

    def brackets(self, size: int, steps: int, /) -> list[np.ndarray]:
        """The numbers of the points, 0 … ``size`` − 1, in groups that do not compete."""
        ...

    def rungs_of(self, bracket: int, steps: int, /) -> list[int]:
        """The steps after which the policy acts on a bracket, rising and below ``steps``."""
        ...

    def move(self, ranking: Ranking, /) -> Move:
        """Decide how the points of a bracket go on from a rung."""
        ...


Factor: TypeAlias = Annotated[float, Between(1, math.inf, excludes_low=True, excludes_high=True)]
"""The number of points at a rung for each that survives it."""


@checked_class
@dataclasses.dataclass(frozen=True)
class SuccessiveHalving:
    """Train the best part of the points on, and drop the others, again and again.

    After rᵢ steps the best ⌈nᵢ/factor⌉ of nᵢ points survive, ranked by the median over seeds; all
    seeds of a point survive or are dropped together. Each seed costs Σ nᵢ(rᵢ₊₁ − rᵢ) steps instead
    of n·steps.

    Args:
        factor: the number of points at a rung for each that survives it.
        rungs: the numbers of steps after which the points are ranked; by default ⌊steps/factorᵏ⌋
            for all k for which this is at least ``least_steps``, so that all rounds cost alike.
        least_steps: the steps that every point gets at least, if ``rungs`` is not given.
        metric: the metric that ranks the points: "loss" for the last loss, on the same batch for
            all points of a seed, or the name of an evaluation metric.
        maximize: whether more of it is better, unless its name tells.

    Raises:
        ValueError: if nothing tells the direction of the metric, ``factor`` is not above 1, or the
            rungs are not positive or do not rise.

    >>> from gdlab.sweeps import SuccessiveHalving
    >>> SuccessiveHalving(factor=4).rungs_of(0, 300)
    [18, 75]

    Source: K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter
    Optimization, 2016, figure 2.
    """

    factor: Factor = 4.0
    rungs: Sequence[int] | None = None
    least_steps: Count = 10
    metric: str = "loss"
    maximize: bool | None = None

    def __post_init__(self) -> None:
        is_maximized(self.metric, self.maximize)
        rungs = [0, *(self.rungs or [])]
        if any(later <= rung for rung, later in itertools.pairwise(rungs)):
            raise ValueError(f"rungs must be positive and rise, not {self.rungs}")
        if self.rungs is not None and not len(self.rungs):
            raise ValueError("rungs must be one number of steps at least, not an empty list")

    def brackets(self, size: int, _steps: int) -> list[np.ndarray]:
        """All points compete."""
        return [np.arange(size)]

    def rungs_of(self, _bracket: int, steps: int) -> list[int]:
        """The rungs below ``steps``."""
        if self.rungs is not None:
            return [rung for rung in self.rungs if rung < steps]
        return _geometric_rungs(steps, self.factor, _most_rungs(steps, self))

    def move(self, ranking: Ranking) -> Move:
        """The best points survive in their places."""
        return _survival_of_best(ranking, math.ceil(len(ranking.scores) / self.factor))


@checked_class
@dataclasses.dataclass(frozen=True)
class Hyperband:
    """Several brackets of points under successive halving, first ranked early, late or never.

    Bracket s, of the brackets S, …, 0, ranks its points after steps/factorˢ, …, steps/factor steps,
    and has a share of the points in proportion to ⌈(S + 1)·factorˢ/(s + 1)⌉, so that all brackets
    cost alike. Of n points at a rung the best ⌊n/factor⌋ survive, at least one. It is meant for
    sampled axes: neighbouring points are dealt to different brackets.

    Args:
        factor: the number of points at a rung for each that survives it.
        least_steps: the steps that every point gets.
        metric: what ranks the points: "loss", or the name of an evaluation metric.
        maximize: whether more of it is better, unless its name tells.

    Raises:
        ValueError: if nothing tells the direction of the metric, ``factor`` is not above 1.

    >>> from gdlab.sweeps import Hyperband
    >>> policy = Hyperband(factor=3, least_steps=10)
    >>> [policy.rungs_of(bracket, 100) for bracket in range(3)]
    [[11, 33], [33], []]
    >>> [len(bracket) for bracket in policy.brackets(17, 100)]
    [9, 5, 3]

    Source: L. Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization,
    2018, algorithm 1.
    """

    factor: Factor = 3.0
    least_steps: Count = 10
    metric: str = "loss"
    maximize: bool | None = None

    def __post_init__(self) -> None:
        is_maximized(self.metric, self.maximize)

    def brackets(self, size: int, steps: int) -> list[np.ndarray]:
        """The points dealt out in proportion to the brackets' sizes."""
        most = _most_rungs(steps, self)
        weights = [math.ceil((most + 1) * self.factor**s / (s + 1)) for s in range(most, -1, -1)]
        # Each point goes to the bracket furthest behind its share, which separates neighbours.
        dealt = np.zeros(len(weights))
        bracket_of = np.empty(size, int)
        for point in range(size):
            bracket_of[point] = np.argmax((point + 1) * np.divide(weights, sum(weights)) - dealt)
            dealt[bracket_of[point]] += 1
        return [np.flatnonzero(bracket_of == bracket) for bracket in range(len(weights))]

    def rungs_of(self, bracket: int, steps: int) -> list[int]:
        """The rungs below ``steps``; each bracket skips the earliest one of the bracket before."""
        return _geometric_rungs(steps, self.factor, _most_rungs(steps, self) - bracket)

    def move(self, ranking: Ranking) -> Move:
        """The best points survive in their places."""
        return _survival_of_best(ranking, max(1, math.floor(len(ranking.scores) / self.factor)))


@checked_class
@dataclasses.dataclass(frozen=True)
class PopulationBasedTraining:
    """Replace the worst points by copies of the best, with slightly changed hyperparameters.

    Every ``every`` steps, each of the worst ``fraction`` of the points takes parameters, state and
    hyperparameters of one of the best ``fraction``, drawn at random (exploit), and multiplies each
    hyperparameter by one of ``factors``, drawn at random (explore)::

        θ ← clip(θ_best · u, min θ₀, max θ₀),    u ∈ factors

    with θ₀ the values at the start of the sweep. Points are ranked by the median over seeds; all
    seeds of a point are replaced together. ``history`` of the result has the hyperparameters after
    each rung.

    Args:
        every: the number of steps from one rung to the next.
        fraction: the part of the points that is replaced at a rung, at most one half.
        factors: the factors among which one is drawn for each hyperparameter.
        metric: what ranks the points: "loss", or the name of an evaluation metric.
        maximize: whether more of it is better, unless its name tells.

    Raises:
        ValueError: if ``every`` is not positive or ``fraction`` is not in (0, ½].

    >>> from gdlab.sweeps import PopulationBasedTraining
    >>> PopulationBasedTraining(every=100).rungs_of(0, 300)
    [100, 200]

    Source: M. Jaderberg et al., Population Based Training of Neural Networks, 2017, algorithm 1.
    """

    every: Count
    fraction: float = 0.2
    factors: Sequence[float] = (0.8, 1.25)
    metric: str = "loss"
    maximize: bool | None = None

    def __post_init__(self) -> None:
        is_maximized(self.metric, self.maximize)
        if not self.factors or not all(0 < factor < math.inf for factor in self.factors):
            raise ValueError(f"factors must be positive numbers, not {self.factors}")
        if not 0 < self.fraction <= 0.5:
            raise ValueError(f"fraction must be above 0 and at most 0.5, not {self.fraction}")

    def brackets(self, size: int, _steps: int) -> list[np.ndarray]:
        """All points are one population."""
        return [np.arange(size)]

    def rungs_of(self, _bracket: int, steps: int) -> list[int]:
        """Every ``every`` steps."""
        return list(range(self.every, steps, self.every))

    def move(self, ranking: Ranking) -> Move:
        """The worst points become changed copies of the best."""
        size, rng = len(ranking.scores), ranking.rng
        # A population of one has no other point to copy.
        count = min(math.ceil(self.fraction * size), size // 2)
        order = np.argsort(ranking.scores, kind="stable")
        best, worst = order[:count], order[size - count :]
        parents = np.arange(size)
        if count:
            parents[worst] = rng.choice(best, count)
        points = {name: values[parents] for name, values in ranking.points.items()}
        for name, values in points.items():
            changed = values[worst] * rng.choice(self.factors, count)
            values[worst] = np.clip(changed, *ranking.ranges[name])
        return Move(parents, np.arange(size), points)


def _survival_of_best(ranking: Ranking, count: int) -> Move:
    """The move by which the best ``count`` points survive, in their order; the first wins a tie."""
    order = np.argsort(ranking.scores, kind="stable")
    kept = np.sort(order[:count])
    return Move(kept, kept, {name: values[kept] for name, values in ranking.points.items()})


def _geometric_rungs(steps: int, factor: float, count: int) -> list[int]:
    return [int(steps / factor**k) for k in range(count, 0, -1)]


def _most_rungs(steps: int, policy: SuccessiveHalving | Hyperband) -> int:
    """The most divisions of ``steps`` by the factor that leave at least ``least_steps``.

    Raises:
        ValueError: if the factor is so close to 1 that two rungs are the same number of steps.
    """
    count, rung = 0, steps
    while (earlier := int(steps / policy.factor ** (count + 1))) >= max(policy.least_steps, 1):
        if earlier == rung:
            raise ValueError(
                f"factor={policy.factor} is so close to 1 that several rungs fall on step {rung} "
                f"of {steps}: raise it, or raise least_steps={policy.least_steps}"
            )
        count, rung = count + 1, earlier
    return count

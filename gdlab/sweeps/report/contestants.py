"""The pairs of an optimizer and a problem that a report compares."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gdlab.core.representation import in_words
from gdlab.sweeps.results.recorded import form_of
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.results.scoring import best_position, lane_values, point_labels, scores


class Measure(NamedTuple):
    """The metric by which a result is judged, and its direction."""

    metric: str
    maximize: bool

    @property
    def sign(self) -> float:
        """The factor by which the metric is multiplied so that less is better."""
        return -1.0 if self.maximize else 1.0

    def words(self) -> str:
        """The name of the metric in words."""
        return in_words(self.metric)


class Contestant(NamedTuple):
    """One optimizer on one problem."""

    problem: str
    """The name of the problem, the empty string if there is one alone."""
    optimizer: str
    """The name of the optimizer, the empty string if there is one alone."""
    result: SweepResult
    """The pair's part of the result, without the dimensions ``problem`` and ``optimizer``."""

    @property
    def name(self) -> str:
        """The names of optimizer and problem; the empty string if there is only one of each."""
        parts = [self.optimizer, f"on {self.problem}" if self.problem else ""]
        return " ".join(filter(None, parts))

    @property
    def seeds(self) -> np.ndarray:
        """The seeds, of shape ``(n,)``."""
        return self.result.coords["seed"]

    def values(self, measure: Measure) -> np.ndarray:
        """The metric of each point and seed, of shape ``(points, seeds)``; see ``lane_values``."""
        return lane_values(self.result, measure.metric).reshape(-1, len(self.seeds))

    def scores(self, measure: Measure) -> np.ndarray:
        """The median of each point over its seeds, of shape ``(points,)``; ±∞ is the worst."""
        return scores(self.result, measure.metric, maximize=measure.maximize).ravel()

    def best_point(self, measure: Measure) -> int | None:
        """The index of the best point, ``None`` if no score is finite."""
        found = best_position(self.scores(measure), measure.maximize)
        return None if found is None else found[0]

    def labels(self, point: int) -> dict[str, Any]:
        """The values of the axes at a point, and the labels of dimensions without an axis."""
        dims = self.result.dims[:-1]
        place = np.unravel_index(point, self.result.status.shape[:-1])
        return point_labels(self.result, dict(zip(dims, map(int, place), strict=True)))

    def tuned_on_other_seeds(self, measure: Measure) -> np.ndarray:
        """The metric of each seed at the point that is best on all others, of shape ``(seeds,)``.

        No seed takes part in choosing the point at which it is evaluated, so that the values are
        unbiased estimates for a new seed. A single seed is evaluated at its own best point. A run
        without a value is ±∞.
        """
        signed = measure.sign * self.values(measure)
        signed = np.where(np.isnan(signed), np.inf, signed)
        if len(self.seeds) == 1:
            return measure.sign * np.min(signed, axis=0)
        chosen = [
            np.argmin(np.median(np.delete(signed, seed, axis=1), axis=1))
            for seed in range(len(self.seeds))
        ]
        return measure.sign * signed[chosen, np.arange(len(self.seeds))]


def contestants_of(results: Any) -> list[Contestant]:
    """Every pair of an optimizer and a problem in a result of :func:`gdlab.sweep`.

    Args:
        results: a result; or a dictionary of results, by names of optimizers or, where all have
            the same optimizers, of problems; or one by problems of dictionaries by optimizers.

    Raises:
        TypeError: if it is anything else.
    """
    if isinstance(results, SweepResult):
        return _parts(results, "", "")
    if not isinstance(results, Mapping) or not results:
        raise TypeError(
            "results must be a SweepResult, or a dictionary of them such as sweep returns, not "
            f"{results!r}"
        )
    nested = any(isinstance(part, Mapping) for part in results.values())
    by_problem = nested or _are_problems(list(results.values()))
    found: list[Contestant] = []
    for name, part in results.items():
        for contestant in contestants_of(part):
            found.append(
                contestant._replace(problem=name)
                if by_problem
                else contestant._replace(optimizer=name)
            )
    return found


def _are_problems(results: Sequence[Any]) -> bool:
    """Tell whether results stand for problems: all have the same optimizers, or several of them."""
    forms = {
        tuple(form_of(tx) for tx in result.optimizers)
        for result in results
        if isinstance(result, SweepResult)
    }
    return len(results) > 1 and (
        len(forms) == 1 or all("optimizer" in result.dims for result in results)
    )


def _parts(result: SweepResult, problem: str, optimizer: str) -> list[Contestant]:
    """The contestants of one result, by the labels of its dimensions.

    Args:
        result: the result.
        problem: the name of the problem, unless ``problem`` is a dimension of the result.
        optimizer: the name of the optimizer, likewise.
    """
    for kind in ("problem", "optimizer"):
        if kind in result.dims:
            return [
                contestant
                for name in result.coords[kind].tolist()
                for contestant in _parts(
                    result.select(**{kind: name}),
                    name if kind == "problem" else problem,
                    name if kind == "optimizer" else optimizer,
                )
            ]
    return [Contestant(problem, optimizer, result)]

"""The values, scores and divergence of a metric, arranged for drawing."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gdlab.sweeps.results.scoring import scores

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


class Lanes(NamedTuple):
    """The metric of all lanes."""

    values: np.ndarray
    """The value of each lane, NaN if it has none; shape ``(*dims, seeds)``."""
    scores: np.ndarray
    """The median over the seeds, ±∞ if half of the seeds have no value."""
    diverged: np.ndarray
    """The share of diverged seeds among those that were run."""

    def facet(self, index: tuple[int, ...]) -> "Lanes":
        """Return the part of the arrays that one panel shows."""
        return Lanes(*(array[index] for array in self))


def lanes_of(result: "SweepResult", metric: str, maximize: bool, dims: list[str]) -> Lanes:
    """The metric of all lanes, with the dimensions of the points in this order."""
    run = np.sum(result.status != "not run", axis=-1)
    diverged = np.sum(result.status == "diverged", axis=-1) / np.maximum(run, 1)
    order = [result.dims.index(name) for name in dims]
    values = np.transpose(result.values(metric), [*order, len(order)])
    point_scores = scores(result, metric, maximize=maximize)
    return Lanes(values, np.transpose(point_scores, order), np.transpose(diverged, order))

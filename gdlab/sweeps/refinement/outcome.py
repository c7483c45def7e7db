"""The outcome of a refinement."""

import dataclasses
import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from gdlab.core.transformation import GradientTransformation

CHAOTIC = "chaotic: gradient not trusted"
"""The status of a start where the gradient contradicts differences of the loss."""


@dataclasses.dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Refinement:
    """The descents of :func:`gdlab.refine`, in the order of their starts, the best start first."""

    names: tuple[str, ...]
    """The hyperparameters that were refined: names of axes, or paths in the optimizer."""
    metric: str
    """The name of the value that was minimised, a mean over the seeds."""
    maximize: bool
    """True if the metric was maximised instead."""
    paths: tuple[np.ndarray, ...]
    """The values of the hyperparameters at each start and after each step from there, an array of
    shape ``(steps + 1, names)`` for each start."""
    values: tuple[np.ndarray, ...]
    """The metric at each point of ``paths``, an array of shape ``(steps + 1,)`` for each start."""
    status: tuple[str, ...]
    """The end of each descent: "converged" where the slope is small, "no lower value near" where
    the line search found none, as at a kink or at the limit of rounding, "unfinished" after so many
    steps, "diverged" where the start did, "flat" where the metric has no slope at all, and
    "chaotic: gradient not trusted" where differences contradict the gradient."""
    disagreement: np.ndarray
    """The relative distance of the gradient from central differences at each start, and at the end
    of the descent from there, of shape ``(starts, 2)``; NaN where the gradient is too small."""
    evaluations: int
    """The number of evaluations of value and gradient, at all starts together."""
    optimizer: GradientTransformation
    """The optimizer with the hyperparameters at the end of the best descent."""
    hyperparameters: dict[str, Any]
    """The hyperparameters of the loss at the end of the best descent."""

    @property
    def best_start(self) -> int:
        """The index of the start whose descent reached the best value."""
        return best_of(self.values, self.maximize)

    def best(self) -> dict[str, float]:
        """The refined hyperparameters at the end of the best descent, by name, and the metric."""
        number = self.best_start
        point = dict(zip(self.names, self.paths[number][-1].tolist(), strict=True))
        return point | {self.metric: float(self.values[number][-1])}

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each step of each start; needs the extra ``lab``.

        Its columns are ``start``, ``step``, the names of the hyperparameters, and the metric.
        """
        import pandas

        frames = [
            pandas.DataFrame(path, columns=list(self.names)).assign(**{self.metric: values})
            for path, values in zip(self.paths, self.values, strict=True)
        ]
        table = pandas.concat(frames, keys=range(len(frames)), names=["start", "step"])
        return table.reset_index()

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *body = [[html.escape(cell) for cell in row] for row in self._rows()]
        lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in body]
        heading = "".join(f"<th>{cell}</th>" for cell in head)
        rows = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table><tr>{heading}</tr>{rows}</table>"

    def _rows(self) -> list[list[str]]:
        """The cells of a table with a row for each descent: start, end, values and status."""
        rows = [["start", *self.names, self.metric, "steps", "status"]]
        for number, (path, values) in enumerate(zip(self.paths, self.values, strict=True)):
            ends = zip(path[0], path[-1], strict=True)
            rows.append(
                [
                    str(number),
                    *(f"{first:.6g} → {last:.6g}" for first, last in ends),
                    f"{values[0]:.6g} → {values[-1]:.6g}",
                    str(len(values) - 1),
                    self.status[number],
                ]
            )
        return rows


def best_of(values: Sequence[np.ndarray], maximize: bool) -> int:
    """The index of the start whose last value is the best; NaN counts as the worst."""
    ends = np.array([-one[-1] if maximize else one[-1] for one in values])
    return int(np.argmin(np.where(np.isnan(ends), np.inf, ends)))

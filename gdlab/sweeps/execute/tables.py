"""Tables of all lanes of a sweep, on the host, filled as results come in."""

from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from gdlab.sweeps.compiled.lane_state import CONVERGED, DIVERGED, RUNNING, Records
from gdlab.sweeps.plan.task import Rows

PRUNED, NOT_RUN = 3, 4
"""The status of lanes that a policy dropped, and of those not begun; only the host sets them."""

KeepParams = Literal["best", "all"] | None


class GroupResult(NamedTuple):
    """The result of a group of lanes, seeds × points, over some steps."""

    records: Any
    """The :class:`Records` of these steps, of shape ``(rows, seeds, points)``, or None."""
    loss: Any
    """The last loss that was computed."""
    status: Any
    stopped_at: Any
    evaluations: Any
    metrics: Any
    """Evaluation metrics by name; empty unless evaluated."""
    params: Any
    """The last good parameters; None unless kept."""
    lanes: Any
    """The state from which the steps after the rung continue; None if it is not needed."""


class LaneTables:
    """Arrays over all seeds and points, filled result by result.

    Args:
        rows: the rows of the records of all steps.
        seeds: the number of seeds.
        points: the number of points.
        keep_params: which parameters to keep, as in :func:`gdlab.sweep`.
        by_point: whether every group result has all seeds of its points.
    """

    def __init__(
        self, rows: Rows, seeds: int, points: int, keep_params: KeepParams, by_point: bool
    ):
        self._rows = rows
        shape = (seeds, points)
        self.loss: np.ndarray = np.full(shape, np.nan, np.float32)
        self.status: np.ndarray = np.full(shape, NOT_RUN, np.int8)
        self.stopped_at: np.ndarray = np.full(shape, -1)
        self.evaluations: np.ndarray = np.zeros(shape, int)
        self.records: Records | None = None
        self.metrics: dict[str, np.ndarray] = {}
        self.params: Any = None
        self.best_point: int | None = None
        self.keep_params = keep_params
        # The parameters of a point can be discarded only once all of its seeds have finished.
        self._best_only = keep_params == "best" and by_point

    def apply(
        self, result: GroupResult, rows: Rows | None, seeds: np.ndarray, points: np.ndarray
    ) -> None:
        """Write a result for these rows of its records, these seeds and these points."""
        here = np.ix_(seeds, points)
        if self.loss.dtype != result.loss.dtype:
            self.loss = self.loss.astype(result.loss.dtype)
        self.loss[here], self.status[here] = result.loss, result.status
        self.stopped_at[here], self.evaluations[here] = result.stopped_at, result.evaluations
        lanes = self.loss.shape
        if rows is not None:
            self._record(result.records, rows, seeds, points)
        for name, values in result.metrics.items():
            if name not in self.metrics:
                self.metrics[name] = _blank(lanes + values.shape[2:], values.dtype)
            self.metrics[name][here] = values
        if result.params is not None:
            self._keep(result.params, seeds, points)

    def _record(self, new: Records, rows: Rows, seeds: np.ndarray, points: np.ndarray) -> None:
        if self.records is None:

            def blank(of: list[int], leaf: np.ndarray) -> np.ndarray:
                return _blank((len(of), *self.loss.shape, *leaf.shape[3:]), leaf.dtype)

            self.records = new.map(blank, self._rows)

        def write(of: list[int], all_: np.ndarray, new: np.ndarray) -> None:
            all_[np.ix_(np.asarray(of, int), seeds, points)] = new

        self.records.map(write, rows, new)

    def _keep(self, params: Any, seeds: np.ndarray, points: np.ndarray) -> None:
        if self._best_only:
            scores = self.scores(points)
            best = int(np.argmin(scores))
            known = np.inf if self.best_point is None else self.scores([self.best_point])[0]
            if scores[best] < known or self.best_point is None:
                self.best_point = int(points[best])
                self.params = jax.tree.map(lambda leaf: np.array(leaf[:, best]), params)
            return
        if self.params is None:
            lanes = self.loss.shape
            self.params = jax.tree.map(
                lambda leaf: np.zeros(lanes + leaf.shape[2:], leaf.dtype), params
            )

        def write(all_: np.ndarray, new: Any) -> None:
            all_[np.ix_(seeds, points)] = new

        jax.tree.map(write, self.params, params)

    def kept_params(self) -> Any:
        """The kept parameters: of all seeds × points, or of the seeds at the best point."""
        if self.keep_params == "best" and not self._best_only:
            best = int(np.argmin(self.scores(np.arange(self.loss.shape[1]))))
            return jax.tree.map(lambda leaf: leaf[:, best], self.params)
        return self.params

    def scores(self, points: Any, metric: str = "loss", maximize: bool = False) -> np.ndarray:
        """The medians over seeds: smaller is better, infinite where half the seeds failed."""
        values = (self.loss if metric == "loss" else self.metrics[metric])[:, points]
        alive = np.isin(self.status[:, points], (RUNNING, CONVERGED)) & ~np.isnan(values)
        worst_last = np.where(alive, -values if maximize else values, np.inf)
        return np.median(worst_last, axis=0)

    def standing(self) -> str:
        """The number of lanes still to run, and the best loss of those that did not diverge."""
        alive = np.sum(np.isin(self.status, (RUNNING, NOT_RUN)))
        good = np.isin(self.status, (RUNNING, CONVERGED)) & ~np.isnan(self.loss)
        best = np.min(self.loss[good], initial=np.inf)
        shown = f", best {best:.3g}" if np.isfinite(best) else ""
        return f"{alive}/{self.status.size} lanes alive{shown}"

    def prune(self, points: np.ndarray, step: int) -> None:
        """Mark the lanes of these points that are still running as dropped at a step."""
        running = self.status[:, points] == RUNNING
        self.status[:, points] = np.where(running, PRUNED, self.status[:, points])
        self.stopped_at[:, points] = np.where(running, step, self.stopped_at[:, points])


def status_names(status: np.ndarray, ended: np.ndarray) -> np.ndarray:
    """The status of lanes in words; "unfinished" where a running lane has not come to its end."""
    names = {
        RUNNING: "ok",
        DIVERGED: "diverged",
        CONVERGED: "converged",
        PRUNED: "pruned",
        NOT_RUN: "not run",
    }
    in_words = np.array([names[code] for code in range(len(names))])[status]
    return np.where((status == RUNNING) & ~ended, "unfinished", in_words)


def _blank(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of NaN, or of zeros where the dtype has no NaN."""
    if np.issubdtype(dtype, np.inexact):
        return np.full(shape, np.nan, dtype)
    return np.zeros(shape, dtype)

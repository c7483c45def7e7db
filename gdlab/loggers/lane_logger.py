"""The base class of loggers, which finds the new values of each lane."""

import abc
import dataclasses
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.axes.naming import EVALUATION_STEP

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

ON_THE_WAY = ("unfinished", "not run")
"""The statuses of lanes that have not ended."""


@dataclasses.dataclass
class OpenRun:
    """The run of a lane in the tracker."""

    handle: Any
    """The tracker's object for the run."""
    logged: int = -1
    """The last logged step."""
    has_ended: bool = False


class LaneLogger(abc.ABC):
    """A function of the result so far that logs its new values, with a run for each lane.

    Pass it to :func:`gdlab.sweep` as ``live``, which calls it every two seconds and at the end,
    between compiled calls. A subclass for a tracker implements three methods. Use it as a context
    manager to end the runs that an interrupted sweep has left open.
    """

    waits_for_ends: bool = False
    """True for trackers with one open run at a time; a lane is then logged after it has ended."""

    def __init__(self) -> None:
        self._runs: dict[tuple[Any, ...], OpenRun] = {}

    @abc.abstractmethod
    def begin(self, name: str, config: Mapping[str, Any]) -> Any:
        """Begin a run, and return its handle.

        Args:
            name: the labels of the lane in words.
            config: the label of the lane on each dimension and axis, and the settings of the sweep,
                by name.
        """

    @abc.abstractmethod
    def log(self, run: Any, step: int, values: Mapping[str, float]) -> None:
        """Log the values of a step in a run."""

    @abc.abstractmethod
    def end(self, run: Any, status: str, metrics: Mapping[str, float]) -> None:
        """End a run, with the status of its lane and its evaluation metrics at the end."""

    def __call__(self, result: "SweepResult | dict[str, Any]", *names: str) -> None:
        """Log what is new in a result, or in a dictionary of results."""
        if isinstance(result, dict):
            for name, part in result.items():
                self(part, *names, str(name))
            return
        from gdlab.sweeps.results.labelled import lane_labels

        labels = lane_labels(result)
        for index in np.ndindex(result.status.shape):
            lane = {name: values[index].item() for name, values in labels.items()}
            self._log_lane(result, index, lane, names)

    def __enter__(self) -> "LaneLogger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for run in self._runs.values():
            if not run.has_ended:
                self.end(run.handle, "unfinished", {})
                run.has_ended = True

    def _log_lane(
        self,
        result: "SweepResult",
        index: tuple[int, ...],
        lane: dict[str, Any],
        names: tuple[str, ...],
    ) -> None:
        status, key = str(result.status[index]), (*names, *lane.values())
        goes_on = status in ON_THE_WAY
        known = self._runs.get(key)
        if status == "not run" or (goes_on and self.waits_for_ends) or (known and known.has_ended):
            return
        if known is None:
            words = [*names, *(f"{name}={label}" for name, label in lane.items())]
            known = OpenRun(self.begin(", ".join(words), lane | result.settings))
            self._runs[key] = known
        for step, values in _rows(result, index):
            if step > known.logged:
                self.log(known.handle, step, values)
                known.logged = step
        if not goes_on:
            metrics = {name: float(values[index]) for name, values in result.metrics.items()}
            self.end(known.handle, status, metrics)
            known.has_ended = True


def _rows(result: "SweepResult", index: tuple[int, ...]) -> Iterator[tuple[int, dict[str, float]]]:
    """The recorded values of a lane by name at each step, up to where it stopped."""
    stopped = result.stopped_at[index]
    rows: dict[int, dict[str, float]] = {}
    groups = (("step", {"loss": result.loss} | result.aux), (EVALUATION_STEP, result.curves))
    for dimension, arrays in groups:
        for name, values in arrays.items():
            for step, value in zip(result.coords[dimension], values[index], strict=True):
                if not np.isnan(value) and (stopped < 0 or step <= stopped):
                    rows.setdefault(int(step), {})[name] = float(value)
    yield from sorted(rows.items())

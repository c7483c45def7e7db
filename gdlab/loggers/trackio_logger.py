"""A logger for Trackio."""

from collections.abc import Mapping
from typing import Any

from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Name
from gdlab.loggers.lane_logger import LaneLogger


@checked_class
class TrackioLogger(LaneLogger):
    """A run of a project for each lane; needs ``trackio``.

    Trackio has one open run at a time, so a lane is logged after it has ended.

    Args:
        project: the name of the project.
        **options: other arguments of ``trackio.init``.

    >>> from gdlab import Axis, sgd, sweep
    >>> from gdlab.loggers import TrackioLogger
    >>> tx = sgd(Axis("learning_rate", [0.1, 0.4]))
    >>> result = sweep(  # doctest: +SKIP
    ...     lambda w: w**2, 1.0, tx, steps=20, live=TrackioLogger("rates")
    ... )
    """

    waits_for_ends = True

    def __init__(self, project: Name, **options: Any):
        super().__init__()
        self._options = {"project": project} | options

    def begin(self, name: str, config: Mapping[str, Any]) -> Any:
        """Begin a run."""
        import trackio  # type: ignore[import-not-found]

        return trackio.init(name=name, config=dict(config), **self._options)

    def log(self, run: Any, step: int, values: Mapping[str, float]) -> None:
        """Log all values of a step together."""
        run.log(dict(values), step=step)

    def end(self, run: Any, status: str, metrics: Mapping[str, float]) -> None:
        """Log the metrics at the end, and end the run."""
        final = {f"final/{name}": value for name, value in metrics.items()}
        run.log(final | {"status": status})
        run.finish()

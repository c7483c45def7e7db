"""A logger for Weights & Biases."""

from collections.abc import Mapping
from typing import Any

from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Name
from gdlab.loggers.lane_logger import LaneLogger


@checked_class
class WandbLogger(LaneLogger):
    """A run of a project for each lane; needs ``wandb``.

    Args:
        project: the name of the project.
        group: the group to which the runs belong, such as the name of the sweep.
        **options: other arguments of ``wandb.init``.

    >>> from gdlab import Axis, sgd, sweep
    >>> from gdlab.loggers import WandbLogger
    >>> tx = sgd(Axis("learning_rate", [0.1, 0.4]))
    >>> with WandbLogger("rates") as logger:  # doctest: +SKIP
    ...     result = sweep(lambda w: w**2, 1.0, tx, steps=20, live=logger)
    """

    def __init__(self, project: Name, group: str | None = None, **options: Any):
        super().__init__()
        self._options = {"project": project, "group": group, "reinit": "create_new"} | options

    def begin(self, name: str, config: Mapping[str, Any]) -> Any:
        """Begin a run, beside other open runs."""
        import wandb  # type: ignore[import-not-found]

        return wandb.init(name=name, config=dict(config), **self._options)

    def log(self, run: Any, step: int, values: Mapping[str, float]) -> None:
        """Log all values of a step together."""
        run.log(dict(values), step=step)

    def end(self, run: Any, status: str, metrics: Mapping[str, float]) -> None:
        """Write metrics and status to the summary, and end the run (exit code 1 if diverged)."""
        run.summary.update({f"final/{name}": value for name, value in metrics.items()})
        run.summary.update({"status": status})
        run.finish(exit_code=int(status == "diverged"))

"""A logger for MLflow."""

import time
from collections.abc import Mapping
from typing import Any

from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Name
from gdlab.loggers.lane_logger import LaneLogger

STATUS = {"diverged": "FAILED", "unfinished": "KILLED", "pruned": "KILLED"}
"""Status of a lane → status of its MLflow run; others are "FINISHED"."""


@checked_class
class MLflowLogger(LaneLogger):
    """A run of an experiment for each lane; needs ``mlflow`` or ``mlflow-skinny``.

    Args:
        experiment: the name of the experiment, which is made if there is none.
        tracking_uri: the address of the tracking server or of its files; by default MLflow's own
            setting.

    >>> from gdlab import Axis, sgd, sweep
    >>> from gdlab.loggers import MLflowLogger
    >>> tx = sgd(Axis("learning_rate", [0.1, 0.4]))
    >>> with MLflowLogger("rates") as logger:  # doctest: +SKIP
    ...     result = sweep(lambda w: w**2, 1.0, tx, steps=20, live=logger)
    """

    def __init__(self, experiment: Name, tracking_uri: str | None = None):
        from mlflow.tracking import MlflowClient  # type: ignore[import-not-found]

        super().__init__()
        self._client = MlflowClient(tracking_uri)
        known = self._client.get_experiment_by_name(experiment)
        self._experiment = (
            self._client.create_experiment(experiment) if known is None else known.experiment_id
        )

    def begin(self, name: str, config: Mapping[str, Any]) -> str:
        """Begin a run with the labels of the lane as parameters, and return its identifier."""
        run = self._client.create_run(self._experiment, run_name=name)
        for key, value in config.items():
            self._client.log_param(run.info.run_id, _permitted(key), value)
        return run.info.run_id

    def log(self, run: str, step: int, values: Mapping[str, float]) -> None:
        """Log each value as a metric."""
        from mlflow.entities import Metric  # type: ignore[import-not-found]

        now = int(1000 * time.time())
        metrics = [Metric(_permitted(name), value, now, step) for name, value in values.items()]
        self._client.log_batch(run, metrics=metrics)

    def end(self, run: str, status: str, metrics: Mapping[str, float]) -> None:
        """Log the metrics under ``final/`` and the lane's status as a tag, and end the run."""
        for name, value in metrics.items():
            self._client.log_metric(run, f"final/{_permitted(name)}", value)
        self._client.set_tag(run, "status", status)
        self._client.set_terminated(run, STATUS.get(status, "FINISHED"))


def _permitted(name: str) -> str:
    """A name with the characters that MLflow allows."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)

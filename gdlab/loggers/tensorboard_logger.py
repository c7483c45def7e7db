"""A logger for TensorBoard."""

import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from gdlab.checks.checked import checked_class
from gdlab.loggers.lane_logger import LaneLogger


@checked_class
class TensorBoardLogger(LaneLogger):
    """Write a folder of TensorBoard event files for each lane; needs ``tensorboardX``.

    Args:
        folder: the parent folder of the folders of the lanes.

    >>> from gdlab import Axis, sgd, sweep
    >>> from gdlab.loggers import TensorBoardLogger
    >>> tx = sgd(Axis("learning_rate", [0.1, 0.4]))
    >>> with TensorBoardLogger("runs/rates") as logger:  # doctest: +SKIP
    ...     result = sweep(lambda w: w**2, 1.0, tx, steps=20, live=logger)
    """

    def __init__(self, folder: str | os.PathLike[str]):
        super().__init__()
        self._folder = pathlib.Path(folder)

    def begin(self, name: str, config: Mapping[str, Any]) -> Any:
        """Begin a run with the labels of the lane as a text, and return a writer of events."""
        from tensorboardX import SummaryWriter  # type: ignore[import-not-found]

        writer = SummaryWriter(str(self._folder / re.sub(r"[^\w=.,+-]+", "_", name)))
        rows = "\n".join(f"| {key} | {value} |" for key, value in config.items())
        writer.add_text("lane", f"| name | value |\n|---|---|\n{rows}")
        return writer

    def log(self, run: Any, step: int, values: Mapping[str, float]) -> None:
        """Log each value as a scalar."""
        for name, value in values.items():
            run.add_scalar(name, value, step)

    def end(self, run: Any, status: str, metrics: Mapping[str, float]) -> None:
        """Log the metrics as scalars under ``final/`` and the status as a text, and end the run."""
        for name, value in metrics.items():
            run.add_scalar(f"final/{name}", value)
        run.add_text("status", status)
        run.close()

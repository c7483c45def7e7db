"""Lanes of a sweep in TensorBoard."""

import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from gdlab.checks.checked import checked_class
from gdlab.loggers.lane_logger import LaneLogger


@checked_class
class TensorBoardLogger(LaneLogger):
    """A folder of event files for each lane, which TensorBoard shows; needs ``tensorboardX``.

    Args:
        folder: the folder in which the folders of the lanes lie.

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
        """A writer of events, with the labels of the lane as a text."""
        from tensorboardX import SummaryWriter  # type: ignore[import-not-found]

        writer = SummaryWriter(str(self._folder / re.sub(r"[^\w=.,+-]+", "_", name)))
        rows = "\n".join(f"| {key} | {value} |" for key, value in config.items())
        writer.add_text("lane", f"| name | value |\n|---|---|\n{rows}")
        return writer

    def log(self, run: Any, step: int, values: Mapping[str, float]) -> None:
        """A scalar for each value."""
        for name, value in values.items():
            run.add_scalar(name, value, step)

    def end(self, run: Any, status: str, metrics: Mapping[str, float]) -> None:
        """The metrics as scalars under ``final/``, and the status as a text."""
        for name, value in metrics.items():
            run.add_scalar(f"final/{name}", value)
        run.add_text("status", status)
        run.close()

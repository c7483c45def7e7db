"""Loggers: the runs of a sweep in the trackers of other libraries, fed while the sweep runs."""

from gdlab.loggers.lane_logger import LaneLogger
from gdlab.loggers.mlflow_logger import MLflowLogger
from gdlab.loggers.tensorboard_logger import TensorBoardLogger
from gdlab.loggers.trackio_logger import TrackioLogger
from gdlab.loggers.wandb_logger import WandbLogger

__all__ = ["LaneLogger", "MLflowLogger", "TensorBoardLogger", "TrackioLogger", "WandbLogger"]

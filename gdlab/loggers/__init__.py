"""Loggers that send the lanes of a running sweep to experiment trackers."""

from gdlab.loggers.lane_logger import LaneLogger
from gdlab.loggers.mlflow_logger import MLflowLogger
from gdlab.loggers.tensorboard_logger import TensorBoardLogger
from gdlab.loggers.trackio_logger import TrackioLogger
from gdlab.loggers.wandb_logger import WandbLogger

__all__ = ["LaneLogger", "MLflowLogger", "TensorBoardLogger", "TrackioLogger", "WandbLogger"]

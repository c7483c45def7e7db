"""Training: how examples become minibatches, and one run of an optimizer as a scan."""

from gdlab.training.batches import EpochSampler, minibatches
from gdlab.training.minimize import Trajectory, minimize

__all__ = ["EpochSampler", "Trajectory", "minibatches", "minimize"]

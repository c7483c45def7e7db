"""Training: how examples become minibatches, and one run of an optimizer as a scan."""

from gdlab.training.batches import EpochSampler, minibatches
from gdlab.training.minimize import minimize
from gdlab.training.outcome import Outcome
from gdlab.training.trajectory import Trajectory

__all__ = ["EpochSampler", "Outcome", "Trajectory", "minibatches", "minimize"]

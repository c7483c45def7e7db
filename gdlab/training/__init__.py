"""Training: minibatches of examples, and one run of an optimizer as one compiled program."""

from gdlab.training.batches import EpochSampler, minibatches
from gdlab.training.minimize import minimize
from gdlab.training.outcome import Outcome
from gdlab.training.trajectory import Trajectory

__all__ = ["EpochSampler", "Outcome", "Trajectory", "minibatches", "minimize"]

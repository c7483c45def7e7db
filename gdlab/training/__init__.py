"""Training: how examples become minibatches, and one run of an optimizer as a scan."""

from gdlab.training.batches import EpochSampler, minibatches

__all__ = ["EpochSampler", "minibatches"]

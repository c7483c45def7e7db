"""Losses, with one number for each example; take the mean yourself.

They compute in at least float32, are finite wherever their limits are, and have exact gradients and
Hessian-vector products.
"""

from gdlab.losses.classification import (
    sigmoid_binary_cross_entropy,
    smooth_labels,
    softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
)
from gdlab.losses.divergence import kl_divergence, kl_divergence_with_log_targets
from gdlab.losses.regression import huber_loss, l2_loss, squared_error

__all__ = [
    "huber_loss",
    "kl_divergence",
    "kl_divergence_with_log_targets",
    "l2_loss",
    "sigmoid_binary_cross_entropy",
    "smooth_labels",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "squared_error",
]

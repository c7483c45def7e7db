"""The update rules as their papers print them: float64 NumPy loops over one array.

They share no code with gdlab, so that comparing the two compares an implementation with a paper.
All methods have one calling convention, ``method(grads, params0, *, learning_rate, ...)``, which
`stepping.recorded` explains, and return the parameters after each step: ``(steps, *shape)``.

In the loops the names are the papers':

==========  ==========================================================================
``theta``   parameters                       ``g``   gradient
``eta``     learning rate (Adam's α)         ``v``   velocity, or average of g² (Adam's)
``beta``    weight of the old value (μ, ρ)   ``m``   average of g
``eps``     ε                                ``G``   sum of g² (or of g gᵀ)
==========  ==========================================================================
"""

from tests.references.adadelta import adadelta
from tests.references.adagrad import adagrad, full_matrix_adagrad
from tests.references.adam import adam, adam_efficient, adamax, adamw, amsgrad, nadam
from tests.references.averages import debiased_ema, ema
from tests.references.momentum import (
    gradient_descent,
    heavy_ball,
    heavy_ball_averaging,
    heavy_ball_inside,
    nesterov_look_ahead,
    nesterov_look_ahead_averaging,
    nesterov_look_ahead_inside,
    nesterov_rewritten,
    nesterov_rewritten_inside,
)
from tests.references.rmsprop import rmsprop, rmsprop_centered, rmsprop_graves

__all__ = [
    "adadelta",
    "adagrad",
    "adam",
    "adam_efficient",
    "adamax",
    "adamw",
    "amsgrad",
    "debiased_ema",
    "ema",
    "full_matrix_adagrad",
    "gradient_descent",
    "heavy_ball",
    "heavy_ball_averaging",
    "heavy_ball_inside",
    "nadam",
    "nesterov_look_ahead",
    "nesterov_look_ahead_averaging",
    "nesterov_look_ahead_inside",
    "nesterov_rewritten",
    "nesterov_rewritten_inside",
    "rmsprop",
    "rmsprop_centered",
    "rmsprop_graves",
]

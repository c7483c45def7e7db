"""Schedules: functions step ↦ value, each a pytree whose leaves are its numbers.

They count steps from 0 and keep their last value, unless they are periodic. Lengths are leaves too,
so that a warm-up can be swept.
"""

from gdlab.core.hyperparameter import constant_schedule
from gdlab.schedules.chebyshev import chebyshev_schedule
from gdlab.schedules.combinators import (
    join_schedules,
    multiply_schedules,
    proportional_schedule,
    repeat_schedule,
)
from gdlab.schedules.cosine import cosine_decay_schedule, periodic_cosine_schedule
from gdlab.schedules.cyclic import cyclic_schedule
from gdlab.schedules.exponential import exponential_decay
from gdlab.schedules.inverse_time import inverse_time_decay
from gdlab.schedules.onecycle import cosine_onecycle_schedule, linear_onecycle_schedule
from gdlab.schedules.piecewise import piecewise_constant_schedule, piecewise_interpolate_schedule
from gdlab.schedules.polynomial import linear_schedule, polynomial_schedule
from gdlab.schedules.power import power_schedule
from gdlab.schedules.power_of_count import at_most_inverse_root, power_of_count
from gdlab.schedules.restarts import cosine_decay_restarts_schedule, sgdr_schedule
from gdlab.schedules.rex import rex_schedule
from gdlab.schedules.stable import warmup_stable_decay_schedule
from gdlab.schedules.warmup import (
    warmed_up,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
    warmup_inverse_sqrt_decay_schedule,
)

__all__ = [
    "at_most_inverse_root",
    "chebyshev_schedule",
    "constant_schedule",
    "cosine_decay_restarts_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "cyclic_schedule",
    "exponential_decay",
    "inverse_time_decay",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "multiply_schedules",
    "periodic_cosine_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "power_of_count",
    "power_schedule",
    "proportional_schedule",
    "repeat_schedule",
    "rex_schedule",
    "sgdr_schedule",
    "warmed_up",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
    "warmup_inverse_sqrt_decay_schedule",
    "warmup_stable_decay_schedule",
]

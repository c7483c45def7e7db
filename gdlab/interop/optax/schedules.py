"""optax.schedules: gdlab's schedules, and hyperparameters in the state."""

from collections.abc import Callable
from typing import Any

from gdlab import (
    constant_schedule,
    cosine_decay_schedule,
    exponential_decay,
    join_schedules,
    linear_schedule,
    piecewise_constant_schedule,
    piecewise_interpolate_schedule,
    polynomial_schedule,
    sgdr_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
)
from gdlab.interop.optax._base import Schedule, StatefulSchedule
from gdlab.interop.optax._handed_on import handed_on, listed
from gdlab.interop.optax._injecting import (
    inject_hyperparams,
    inject_stateful_hyperparams,
)
from gdlab.interop.optax._onecycle import (
    cosine_onecycle_schedule,
    linear_onecycle_schedule,
)

__all__ = [
    "Schedule",
    "StatefulSchedule",
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "exponential_decay",
    "inject_hyperparams",
    "inject_stateful_hyperparams",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "sgdr_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
]

__getattr__: Callable[[str], Any] = handed_on(__name__)
__dir__: Callable[[], list[str]] = listed(__name__)

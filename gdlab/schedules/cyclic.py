"""Cyclic schedules between two values."""

from typing import Literal

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import period_of, progress

Mode = Literal["triangular", "triangular2", "exp_range"]


@schedule
def cyclic_schedule(
    init_value: Hyperparameter,
    peak_value: Hyperparameter,
    up_steps: NonNegative = 2000,
    down_steps: NonNegative | None = None,
    mode: Mode = "triangular",
    gamma: NonNegative = 1.0,
) -> Function:
    """Cycles of a linear rise and fall between two values, whose height may shrink.

    η(t) = init + (peak − init)·r(t)·h(t), where r rises from 0 to 1 and falls back to 0 in each
    cycle, and h is 1 ("triangular"), halves with each cycle ("triangular2"), or is γᵗ ("exp_range")

    For a momentum that cycles inversely, use the same schedule with the larger value first.

    Args:
        init_value: the value at step 0 and at the end of each cycle.
        peak_value: the value in the middle of the first cycle.
        up_steps: the length of the rise from ``init_value``, in steps.
        down_steps: the length of the fall, in steps; by default ``up_steps``.
        mode: the change of the height from cycle to cycle: "triangular", "triangular2" or
            "exp_range".
        gamma: the factor γ of the height per step in the mode "exp_range".

    Raises:
        ValueError: if there is no mode of that name.

    >>> from gdlab import cyclic_schedule
    >>> [float(cyclic_schedule(1.0, 2.0, 2, mode="triangular2")(t)) for t in range(9)]
    [1.0, 1.5, 2.0, 1.5, 1.0, 1.25, 1.5, 1.25, 1.0]

    Source: L. N. Smith, Cyclical learning rates for training neural networks, 2017.
    """
    falling = up_steps if down_steps is None else down_steps

    def value(count):
        cycle, steps = period_of(count, up_steps + falling)
        risen = progress(steps, 0.0, up_steps) - progress(steps, up_steps, falling)
        height = {
            "triangular": lambda: 1.0,
            "triangular2": lambda: jnp.exp2(-cycle),
            "exp_range": lambda: jnp.power(gamma, count.astype(cycle.dtype)),
        }[mode]()
        return init_value + (peak_value - init_value) * risen * height

    return value

"""Up and down between two values, again and again."""

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
    """Up and down between two values along lines, in cycles whose height may shrink.

    η(t) = init + (peak − init)·r(t)·h(t), where r rises from 0 to 1 and falls back to 0 in each
    cycle, and h is 1 ("triangular"), halves with each cycle ("triangular2"), or is γᵗ ("exp_range")

    The momentum that runs opposite to it is the same schedule with the larger value first.

    Args:
        init_value: the value at step 0 and at the end of each cycle.
        peak_value: the value in the middle of the first cycle.
        up_steps: length of the way from ``init_value``, in steps.
        down_steps: length of the way back; the same unless given.
        mode: how the height of the cycles changes.
        gamma: γ, the factor by which the height shrinks with each step in the mode "exp_range".

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

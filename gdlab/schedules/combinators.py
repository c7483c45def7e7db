"""Combinations of schedules: joined, multiplied, repeated, or mapped to another range."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_divide
from gdlab.core.schedule import Schedule, schedule
from gdlab.core.structure import Function, Number
from gdlab.schedules.progress import has_begun, period_of, since


@schedule
def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[NonNegative]) -> Function:
    """One schedule after another, each counting from its own start.

    η(t) = schedulesᵢ(t − boundariesᵢ₋₁) for boundariesᵢ₋₁ ≤ t < boundariesᵢ

    Args:
        schedules: the schedules in turn.
        boundaries: the rising steps at which the second and later schedules begin, one fewer than
            ``schedules``.

    Raises:
        ValueError: if there is not one boundary fewer than schedules, or boundaries do not rise.

    >>> from gdlab import constant_schedule, join_schedules, linear_schedule
    >>> eta = join_schedules([linear_schedule(0.0, 1.0, 2), constant_schedule(0.25)], [3])
    >>> [float(eta(t)) for t in range(5)]
    [0.0, 0.5, 1.0, 0.25, 0.25]
    """
    if len(boundaries) != len(schedules) - 1:
        raise ValueError(
            f"join_schedules needs one boundary fewer than schedules, not {len(boundaries)} for "
            f"{len(schedules)}"
        )
    known = [boundary for boundary in boundaries if isinstance(boundary, float)]
    if known != sorted(known):
        raise ValueError(f"join_schedules: boundaries must rise, unlike {known}")
    return lambda count: in_turn(count, schedules, boundaries)


def in_turn(
    count: jax.Array, schedules: Sequence[Schedule], boundaries: Sequence[Number]
) -> jax.Array:
    """The value of the schedule that is active at a step, which counts from its own start."""
    current = schedules[0](count)
    for boundary, following in zip(boundaries, schedules[1:], strict=True):
        later = following(since(count, boundary))
        current = jnp.where(has_begun(count, boundary), later, current)
    return current


@schedule
def multiply_schedules(*factors: Hyperparameter) -> Function:
    """The product of schedules and numbers, all at the same step.

    η(t) = factors₀(t)·factors₁(t)⋯

    >>> from gdlab import linear_schedule, multiply_schedules
    >>> eta = multiply_schedules(0.5, linear_schedule(0.0, 1.0, 2), linear_schedule(1.0, 0.0, 4))
    >>> [float(eta(t)) for t in range(5)]
    [0.0, 0.1875, 0.25, 0.125, 0.0]
    """
    return lambda _: jnp.asarray(math.prod(factors))


@schedule
def repeat_schedule(schedule: Schedule, period_steps: NonNegative) -> Function:
    """A schedule repeated periodically, which counts from the start of each period.

    η(t) = schedule(t mod period)

    Args:
        schedule: the schedule.
        period_steps: the period, in steps.

    >>> from gdlab import linear_schedule, repeat_schedule
    >>> [float(repeat_schedule(linear_schedule(1.0, 0.0, 4), 3)(t)) for t in range(5)]
    [1.0, 0.75, 0.5, 1.0, 0.75]
    """
    return lambda count: schedule(period_of(count, period_steps)[1])


@schedule
def proportional_schedule(
    schedule: Schedule,
    min_input: Hyperparameter,
    max_input: Hyperparameter,
    min_value: Hyperparameter,
    max_value: Hyperparameter,
) -> Function:
    """An affine function of another schedule, such as a radius that follows the learning rate.

    η(t) = min_value + (max_value − min_value)·(schedule(t) − min_input)/(max_input − min_input)

    With ``max_value < min_value`` it falls when the schedule rises. It is ``min_value`` if
    ``min_input`` equals ``max_input``.

    Args:
        schedule: the schedule to follow.
        min_input: the value of the schedule that is mapped to ``min_value``.
        max_input: the value of the schedule that is mapped to ``max_value``.
        min_value: the result at ``min_input``.
        max_value: the result at ``max_input``.

    >>> from gdlab import linear_schedule, proportional_schedule
    >>> eta = proportional_schedule(linear_schedule(0.1, 0.0, 4), 0.0, 0.1, 0.04, 0.08)
    >>> [round(float(eta(t)), 4) for t in (0, 2, 4)]
    [0.08, 0.06, 0.04]

    Source: J. Zhuang et al., Surrogate gap minimization improves sharpness-aware training, 2022,
    section 4, for the radius of GSAM.
    """

    def value(count):
        followed, width = schedule(count) - min_input, jnp.asarray(max_input - min_input)
        upward = safe_divide(followed, jnp.abs(width)) * jnp.sign(width)
        return min_value + (max_value - min_value) * upward

    return value

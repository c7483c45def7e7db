"""One-cycle schedules whose phases end at whole steps."""

import gdlab
from gdlab.core.axis import is_axis
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.schedule import Schedule


def _at_whole_step(part: Hyperparameter, steps: Hyperparameter) -> Hyperparameter:
    """The part of so many steps, rounded down to a whole one; swept ones stay as they are."""
    if is_axis(part) or is_axis(steps) or steps == 0:
        return part
    return int(part * steps) / steps


def linear_onecycle_schedule(
    transition_steps: Hyperparameter,
    peak_value: Hyperparameter,
    pct_start: Hyperparameter = 0.3,
    pct_final: Hyperparameter = 0.85,
    div_factor: Hyperparameter = 25.0,
    final_div_factor: Hyperparameter = 1e4,
) -> Schedule:
    """Up to the peak, down to the start and further down, along three lines between whole steps.

    gdlab's own ends its phases at fractions of a step, so that their derivative is known.

    Args:
        transition_steps: length of the whole, in steps.
        peak_value: the largest value.
        pct_start: the part at which the peak is reached.
        pct_final: the part at which the value is back at its start.
        div_factor: peak over start.
        final_div_factor: start over end.

    >>> from gdlab.interop import optax
    >>> [round(float(optax.linear_onecycle_schedule(11, 1.0)(t)), 3) for t in (0, 3, 9, 11)]
    [0.04, 1.0, 0.04, 0.0]
    """
    return gdlab.linear_onecycle_schedule(
        transition_steps,
        peak_value,
        _at_whole_step(pct_start, transition_steps),
        _at_whole_step(pct_final, transition_steps),
        div_factor,
        final_div_factor,
    )


def cosine_onecycle_schedule(
    transition_steps: Hyperparameter,
    peak_value: Hyperparameter,
    pct_start: Hyperparameter = 0.3,
    div_factor: Hyperparameter = 25.0,
    final_div_factor: Hyperparameter = 1e4,
) -> Schedule:
    """Up to the peak and down to the end, along two half cosines that meet at a whole step.

    Args:
        transition_steps: length of the whole, in steps.
        peak_value: the largest value.
        pct_start: the part at which the peak is reached.
        div_factor: peak over start.
        final_div_factor: start over end.

    >>> from gdlab.interop import optax
    >>> [round(float(optax.cosine_onecycle_schedule(11, 1.0)(t)), 3) for t in (0, 3, 11)]
    [0.04, 1.0, 0.0]
    """
    return gdlab.cosine_onecycle_schedule(
        transition_steps,
        peak_value,
        _at_whole_step(pct_start, transition_steps),
        div_factor,
        final_div_factor,
    )

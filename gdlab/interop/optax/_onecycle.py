"""One-cycle schedules whose phases end at whole steps."""

import gdlab
from gdlab.core.axis import is_axis
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.schedule import Schedule


def _at_whole_step(part: Hyperparameter, steps: Hyperparameter) -> Hyperparameter:
    """The fraction of steps that ends at a whole step, rounded down; axes stay unchanged."""
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
    """Three linear phases between whole steps: up to the peak, down to the start, and to the end.

    gdlab's own schedule ends phases at fractional steps, so that it is differentiable in them.

    Args:
        transition_steps: the length of the schedule, in steps.
        peak_value: the largest value.
        pct_start: the fraction of the steps after which the peak is reached.
        pct_final: the fraction of the steps after which the value is back at its start.
        div_factor: the ratio of the peak to the start.
        final_div_factor: the ratio of the start to the end.

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
    """Two half cosines that meet at a whole step: up to the peak, and down to the end.

    Args:
        transition_steps: the length of the schedule, in steps.
        peak_value: the largest value.
        pct_start: the fraction of the steps after which the peak is reached.
        div_factor: the ratio of the peak to the start.
        final_div_factor: the ratio of the start to the end.

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

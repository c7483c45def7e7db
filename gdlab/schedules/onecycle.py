"""One-cycle schedules."""

from typing import Annotated

from gdlab.core.annotations import AtLeast
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Positive
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.piecewise import interpolated
from gdlab.schedules.shapes import shape_of


@schedule
def linear_onecycle_schedule(
    transition_steps: NonNegative,
    peak_value: Hyperparameter,
    pct_start: Fraction = 0.3,
    pct_final: Annotated[Fraction, AtLeast("pct_start")] = 0.85,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
) -> Function:
    """One cycle of three linear phases: up to the peak, down to the start, and down to the end.

    It is at peak/div at step 0, at the peak at pct_start·N, at peak/div again at pct_final·N and at
    peak/(div·final_div) from N = ``transition_steps`` on.

    For a momentum that moves inversely, from 0.95 down to 0.85 and up again, use the same schedule
    with ``peak_value=0.85, div_factor=0.85 / 0.95, final_div_factor=1.0``.

    Args:
        transition_steps: the length N of the cycle, in steps.
        peak_value: the largest value.
        pct_start: the fraction of N at which the peak is reached.
        pct_final: the fraction of N at which the value is back at its start.
        div_factor: the ratio of the peak to the start.
        final_div_factor: the ratio of the start to the end.

    >>> from gdlab import linear_onecycle_schedule
    >>> eta = linear_onecycle_schedule(8, 4.0, 0.25, 0.5, 4.0, 2.0)
    >>> [float(eta(t)) for t in range(9)]
    [1.0, 2.5, 4.0, 2.5, 1.0, 0.875, 0.75, 0.625, 0.5]

    Source: L. N. Smith, N. Topin, Super-convergence: very fast training of neural networks using
    large learning rates, 2018.
    """
    steps = [0, pct_start * transition_steps, pct_final * transition_steps, transition_steps]
    start = peak_value / div_factor
    values = [start, peak_value, start, start / final_div_factor]
    return lambda count: interpolated(count, steps, values, shape_of("shape", "linear"))


@schedule
def cosine_onecycle_schedule(
    transition_steps: NonNegative,
    peak_value: Hyperparameter,
    pct_start: Fraction = 0.3,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
) -> Function:
    """One cycle of two half cosines: up to the peak, and down to the end.

    It is at peak/div at step 0, at the peak at pct_start·N and at peak/(div·final_div) from
    N = ``transition_steps`` on.

    For a momentum that moves inversely, from 0.95 down to 0.85 and up again, use the same schedule
    with ``peak_value=0.85, div_factor=0.85 / 0.95, final_div_factor=1.0``.

    Args:
        transition_steps: the length N of the cycle, in steps.
        peak_value: the largest value.
        pct_start: the fraction of N at which the peak is reached.
        div_factor: the ratio of the peak to the start.
        final_div_factor: the ratio of the start to the end.

    >>> from gdlab import cosine_onecycle_schedule
    >>> eta = cosine_onecycle_schedule(8, 4.0, 0.25, 4.0, 2.0)
    >>> [float(eta(t)) for t in (0, 1, 2, 5, 8)]
    [1.0, 2.5, 4.0, 2.25, 0.5]

    Source: L. N. Smith, N. Topin, Super-convergence: very fast training of neural networks using
    large learning rates, 2018; the cosines are fastai's.
    """
    start = peak_value / div_factor
    steps = [0, pct_start * transition_steps, transition_steps]
    values = [start, peak_value, start / final_div_factor]
    return lambda count: interpolated(count, steps, values, shape_of("shape", "cosine"))

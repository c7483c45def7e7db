"""REX: a hyperbolic decay for a given budget of steps."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import between, progress


@schedule
def rex_schedule(
    init_value: Hyperparameter,
    end_value: Hyperparameter,
    transition_steps: NonNegative,
    transition_begin: Hyperparameter = 0,
) -> Function:
    """A transition along a hyperbola, which is steepest at its end.

    η(t) = end + (init − end)·(1 − s)/(1 − s/2), s = clip((t − begin)/steps, 0, 1)

    It lies between a linear decay and a schedule that stays constant until the last step.

    Args:
        init_value: the value up to step ``transition_begin``.
        end_value: the value from ``transition_begin + transition_steps`` on.
        transition_steps: the length of the transition, in steps; 0 jumps to the end.
        transition_begin: the step at which the transition begins.

    >>> from gdlab import rex_schedule
    >>> [round(float(rex_schedule(1.0, 0.0, 4)(t)), 4) for t in range(5)]
    [1.0, 0.8571, 0.6667, 0.4, 0.0]

    Source: J. Chen, C. Wolfe, A. Kyrillidis, REX: revisiting budgeted training with an improved
    schedule, 2021.
    """

    def value(count):
        left = 1 - progress(count, transition_begin, transition_steps)
        return between(end_value, init_value, left / (0.5 + 0.5 * left))

    return value

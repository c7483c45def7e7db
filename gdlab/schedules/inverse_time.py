"""Inverse-time decay."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import transitions


@schedule
def inverse_time_decay(
    init_value: Hyperparameter,
    transition_steps: NonNegative,
    decay_rate: NonNegative,
    transition_begin: Hyperparameter = 0,
    staircase: bool = False,
) -> Function:
    """Inverse-time decay, continuous or in a staircase.

    η(t) = init/(1 + rate·(t − begin)/steps), the quotient rounded down on a staircase

    The sum of the values diverges and that of their squares converges, the conditions under which
    stochastic gradient descent converges on convex losses.

    Args:
        init_value: the value up to step ``transition_begin``.
        transition_steps: the number of steps in which the divisor grows by ``decay_rate``; 0 never
            decays.
        decay_rate: the growth of the divisor in ``transition_steps``.
        transition_begin: the step at which the decay begins.
        staircase: whether the value changes only once every ``transition_steps``.

    >>> from gdlab import inverse_time_decay
    >>> [float(inverse_time_decay(1.0, 2, 1.0)(t)) for t in (0, 2, 6)]
    [1.0, 0.5, 0.25]

    Source: H. Robbins, S. Monro, A stochastic approximation method, 1951, eq. 6.
    """
    return lambda count: (
        init_value
        / (1 + decay_rate * transitions(count, transition_begin, transition_steps, staircase))
    )

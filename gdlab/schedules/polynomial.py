"""Polynomial and linear transitions between two values."""

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import between, progress, raised, transitions


@schedule
def polynomial_schedule(
    init_value: Hyperparameter,
    end_value: Hyperparameter,
    power: NonNegative,
    transition_steps: NonNegative,
    transition_begin: Hyperparameter = 0,
    *,
    cycle: bool = False,
) -> Function:
    """Polynomial decay: a power of the remaining time, from one value to another.

    η(t) = end + (init − end)·(1 − s)^power, s = clip((t − begin)/steps, 0, 1)

    With the end 0 and the power 1.2 it is PowerCool: constant up to ``transition_begin``, then c·(T
    − t)^1.2 with c = init/steps^1.2 and T = begin + steps.

    Args:
        init_value: the value up to step ``transition_begin``.
        end_value: the value from ``transition_begin + transition_steps`` on.
        power: the exponent; 1 gives a straight line.
        transition_steps: the length of the transition, in steps; 0 jumps to the end.
        transition_begin: the step at which the transition begins.
        cycle: whether the value, instead of staying at its end, continues as in a transition twice
            as long, then in one three times as long, and so on.

    >>> from gdlab import polynomial_schedule
    >>> [float(polynomial_schedule(1.0, 0.0, 2.0, 4)(t)) for t in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    def value(count):
        done = transitions(count, transition_begin, transition_steps, staircase=False)
        length = transition_steps * jnp.maximum(jnp.ceil(done), 1.0) if cycle else transition_steps
        left = 1 - progress(count, transition_begin, length)
        return between(end_value, init_value, raised(left, power))

    return value


@schedule
def linear_schedule(
    init_value: Hyperparameter,
    end_value: Hyperparameter,
    transition_steps: NonNegative,
    transition_begin: Hyperparameter = 0,
) -> Function:
    """A linear transition from one value to another.

    η(t) = init + (end − init)·clip((t − begin)/steps, 0, 1)

    Args:
        init_value: the value up to step ``transition_begin``.
        end_value: the value from ``transition_begin + transition_steps`` on.
        transition_steps: the length of the transition, in steps; 0 jumps to the end.
        transition_begin: the step at which the transition begins.

    >>> from gdlab import linear_schedule
    >>> [float(linear_schedule(0.5, 0.9, 4)(t)) for t in (0, 2, 9)]
    [0.5, 0.699999988079071, 0.8999999761581421]
    """
    return lambda count: between(
        init_value, end_value, progress(count, transition_begin, transition_steps)
    )

"""Exponential decay."""

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import transitions


@schedule
def exponential_decay(
    init_value: Hyperparameter,
    transition_steps: NonNegative,
    decay_rate: NonNegative,
    transition_begin: Hyperparameter = 0,
    staircase: bool = False,
    end_value: Hyperparameter | None = None,
) -> Function:
    """Exponential decay, continuous or in a staircase.

    η(t) = init·rate^((t − begin)/steps), the exponent rounded down on a staircase

    Args:
        init_value: the value up to step ``transition_begin``.
        transition_steps: the number of steps for one factor of ``decay_rate``; 0 never decays.
        decay_rate: the factor, positive.
        transition_begin: the step at which the decay begins.
        staircase: whether the value changes only once every ``transition_steps``.
        end_value: a bound of the value: a lower bound if ``decay_rate < 1``, an upper bound
            otherwise.

    >>> from gdlab import exponential_decay
    >>> [float(exponential_decay(8.0, 2, 0.5)(t)) for t in (0, 2, 4)]
    [8.0, 4.0, 2.0]
    """

    def value(count):
        factors = transitions(count, transition_begin, transition_steps, staircase)
        current = init_value * jnp.power(decay_rate, factors)
        if end_value is None:
            return current
        falling = jnp.maximum(current, end_value)
        return jnp.where(jnp.asarray(decay_rate) < 1, falling, jnp.minimum(current, end_value))

    return value

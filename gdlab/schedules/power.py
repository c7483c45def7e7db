"""A power of the step, with an upper bound."""

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import since


@schedule
def power_schedule(
    peak_value: Hyperparameter, coefficient: NonNegative, power: Hyperparameter = -0.51
) -> Function:
    """A power of the step, bounded by a peak, independent of the length of training.

    η(t) = min(peak, c·t^power)

    The Power scheduler is min(peak, β·a·n^b) for a batch of β sequences after n tokens; with k
    tokens a step, n = k·t, so that c = β·a·k^b. Warm-up and decay are further factors:
    ``multiply_schedules(warmup_stable_decay_schedule(0.0, 1.0, …), power_schedule(…))``.

    Args:
        peak_value: the value up to the step at which the power falls below it.
        coefficient: the coefficient c, the value of the power at step 1.
        power: the exponent, negative.

    >>> from gdlab import power_schedule
    >>> [float(power_schedule(0.5, 2.0, -1.0)(t)) for t in (0, 1, 4, 8, 16)]
    [0.5, 0.5, 0.5, 0.25, 0.125]

    Source: Y. Shen et al., Power scheduler: a batch size and token number agnostic learning rate
    scheduler, 2024.
    """

    def value(count):
        steps = since(count, 0.0)
        begun = steps > 0
        later = coefficient * jnp.where(begun, steps, 1.0) ** power
        return jnp.where(begun, jnp.minimum(peak_value, later), peak_value)

    return value

"""Powers of the step count, for the bound of ADOPT, weights of MADGRAD and steps of Adafactor."""

import jax.numpy as jnp

from gdlab.checks.kinds import Size
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function


@schedule
def power_of_count(power: Hyperparameter = 0.25, steps_ahead: Size = 0) -> Function:
    """A power of the step count.

    η(t) = (t + steps_ahead)^power, and 0 at 0; t counts from 0

    Args:
        power: the exponent, positive.
        steps_ahead: the number added to the count; 1 includes the present step.

    >>> from gdlab import power_of_count
    >>> [float(power_of_count()(count)) for count in (0, 1, 16)]
    [0.0, 1.0, 2.0]
    """

    def value(count):
        steps = count.astype(float) + steps_ahead
        # The power has no derivative at zero.
        begun = steps > 0
        return jnp.where(begun, jnp.where(begun, steps, 1.0) ** power, 0.0)

    return value


@schedule
def at_most_inverse_root(value: Hyperparameter) -> Function:
    """A value or schedule, bounded by the inverse square root of the step.

    η(t) = min(value, 1/√t), t = 1, 2, …

    >>> from gdlab import at_most_inverse_root
    >>> [float(at_most_inverse_root(0.5)(step)) for step in (0, 15)]
    [0.5, 0.25]
    """
    return lambda count: jnp.minimum(value, 1 / jnp.sqrt(count.astype(float) + 1))

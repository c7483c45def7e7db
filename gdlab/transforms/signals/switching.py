"""A change from one signal to another at a given step."""

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, StepCount
from gdlab.core.joins import join
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function


@schedule
def from_step(start: StepCount) -> Function:
    """Zero before a step, and one from that step on.

    η(t) = 1 if t ≥ start, and 0 before; t counts from 0

    >>> from gdlab import from_step
    >>> [float(from_step(2)(t)) for t in range(4)]
    [0.0, 0.0, 1.0, 1.0]
    """
    return lambda count: jnp.where(count >= jnp.ceil(start).astype(count.dtype), 1.0, 0.0)


@join
def switch(takes_second: Hyperparameter) -> Function:
    """Join two signals by taking one of them.

    u = b if takes_second > 0, and a otherwise

    Args:
        takes_second: usually a schedule, such as :func:`from_step`.

    >>> import jax.numpy as jnp
    >>> from gdlab import switch
    >>> switch(1.0)(jnp.array([2.0]), jnp.array([3.0]))
    Array([3.], dtype=float32)
    """
    return lambda a, b: jnp.where(takes_second > 0, b, a)

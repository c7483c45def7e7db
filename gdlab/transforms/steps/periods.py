"""Steps at which periodic work is due.

The analysis of methods with a period can follow a count of steps that starts over with each period;
a count of all steps needs no state.
"""

import jax
import jax.numpy as jnp

from gdlab.core.structure import Number


def is_due(step: jax.Array, every: Number) -> jax.Array:
    """Tell whether a step is the first, the one ``every`` steps later, and so on.

    Args:
        step: the number of steps before this one, an integer.
        every: the period; a fraction is rounded up, and values below 1 count as 1.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.steps.periods import is_due
    >>> is_due(jnp.arange(5), 2.0)
    Array([ True, False,  True, False,  True], dtype=bool)
    """
    period = jnp.maximum(jnp.ceil(jnp.asarray(every)), 1).astype(step.dtype)
    return step % period == 0


def is_complete(count: jax.Array, every: Number) -> jax.Array:
    """Tell whether a period is complete after a number of steps.

    Args:
        count: the number of steps of the period so far, an integer.
        every: the period; a fraction is rounded up.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.steps.periods import is_complete
    >>> is_complete(jnp.arange(4), 2.0)
    Array([False, False,  True,  True], dtype=bool)
    """
    return count.astype(jnp.asarray(every).dtype) >= every

"""Steps at which something is due that is done once in a period."""

import jax
import jax.numpy as jnp

from gdlab.core.structure import Number


def is_due(step: jax.Array, every: Number) -> jax.Array:
    """Tell whether a step is one of the first, the one ``every`` steps later, and so on.

    Args:
        step: the number of steps before this one, an integer.
        every: the period; a fraction is rounded up, and what is below 1 is 1.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.steps.periods import is_due
    >>> is_due(jnp.arange(5), 2.0)
    Array([ True, False,  True, False,  True], dtype=bool)
    """
    period = jnp.maximum(jnp.ceil(jnp.asarray(every)), 1).astype(step.dtype)
    return step % period == 0

"""Signals delayed by one step, and differences between successive steps."""

import operator

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.joins import as_join
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import fork, identity


@leafwise(reads="step", slots=("previous",))
def delay(*, starts_at_first: bool = False) -> LeafFunctions:
    """Return the updates of the previous step.

    uₜ = gₜ₋₁; u₁ = 0, or g₁ if it ``starts_at_first``

    Args:
        starts_at_first: whether the first output is the first input instead of zero, so that the
            first difference is zero.

    >>> import jax.numpy as jnp
    >>> from gdlab import delay
    >>> tx = delay()
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 2.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [0.]
    [1.]
    """

    def update(u, state, step):
        (previous,) = state
        late = jnp.where(step == 0, u, previous) if starts_at_first else previous
        return late, (u,)

    return lambda like: (jnp.zeros_like(like),), update


@transformation
def difference() -> GradientTransformation:
    """The change of the updates since the previous step.

    uₜ = gₜ − gₜ₋₁, u₁ = 0

    >>> import jax.numpy as jnp
    >>> from gdlab import difference
    >>> tx = difference()
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 3.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [0.]
    [2.]
    """
    return fork(as_join(operator.sub), identity(), delay(starts_at_first=True))

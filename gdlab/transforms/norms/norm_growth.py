"""A bound on the growth of the norm of an array from step to step."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import leafwise
from gdlab.transforms.norms.norms import norm


@leafwise(slots=("length",))
def limit_norm_growth(max_ratio: NonNegative = 1.01, mask: Mask = None) -> LeafFunctions:
    """Keep the norm of each array from growing by more than a factor per step.

    uₜ = gₜ·min(1, max_ratio·‖uₜ₋₁‖/‖gₜ‖), and gₜ at the first step and after a step of zero

    Args:
        max_ratio: γ, the largest ratio of a norm to that of the step before.
        mask: which leaves are limited, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import limit_norm_growth
    >>> tx = limit_norm_growth(2.0)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 9.0, 9.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [1.]
    [2.]
    [4.]

    Source: X. Chen and others, Fira: can we achieve full-rank training of LLMs under low-rank
    constraint?, 2024, section 4.2.
    """
    limits = mask is None or mask

    def init(like):
        return (norm(jnp.zeros_like(like)) if limits else (),)

    def update(u, state):
        if not limits:
            return u, state
        (before,) = state
        length = norm(u)
        longest = jnp.where(before > 0, max_ratio * before, length)
        factor = jnp.where(length > longest, safe_divide(longest, length), 1)
        return u * factor, (length * factor,)

    return init, update

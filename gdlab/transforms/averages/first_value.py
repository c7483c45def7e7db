"""Averages that start at the first value and not at zero."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.transformation import GradientTransformation, leaf_wrapper


@leaf_wrapper(reads="step", nonnegative="like input")
def from_first(average: GradientTransformation) -> LeafFunctions:  # noqa: ARG001
    """Start an average at the first value that it is given.

    For ``ema(β)``: mₜ = β·mₜ₋₁ + (1 − β)·gₜ with m₀ = g₁, so that m₁ = g₁

    The weights sum to 1 at every step, so no correction is needed; but the first value has the
    weight β^(t − 1), far more than any other, unlike with :func:`debias`.

    Args:
        average: a transformation whose state is one array per array, in the units of its input,
            such as :func:`ema`.

    >>> import jax.numpy as jnp
    >>> from gdlab import ema, from_first
    >>> tx = from_first(ema(0.9))
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (7.5, 4.0):
    ...     m, state = tx.update(jnp.array([g]), state)
    ...     print(m.round(2))
    [7.5]
    [7.15]
    """

    def update(u, slots, update_inner, step):
        begin = lambda kept: jnp.where(step == 0, u, kept)  # noqa: E731
        return update_inner(u, jax.tree.map(begin, slots))

    def init(like, init_inner):
        kept = init_inner(like)
        if not jax.tree.leaves(kept):
            raise TypeError("from_first: average must keep an array, but what was given keeps none")
        return kept

    return init, update

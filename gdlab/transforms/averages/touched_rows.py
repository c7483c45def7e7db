"""Rules that skip the rows of an array without a gradient."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.transformation import GradientTransformation, leaf_wrapper


@leaf_wrapper(nonnegative="like input")
def where_touched(inner: GradientTransformation) -> LeafFunctions:  # noqa: ARG001
    """Apply a rule only to the rows with a gradient; the others keep their values and states.

    uₜ = inner(gₜ) in the rows of gₜ that are not all zero, and 0 elsewhere

    A row is the slice at one index of the first axis, such as the embedding of one word; a scalar
    is one row. State that all arrays share, such as the weight of a bias correction, advances at
    each step.

    Args:
        inner: a leafwise transformation.

    Raises:
        TypeError: if ``inner`` is not leafwise.

    >>> import jax.numpy as jnp
    >>> from gdlab import trace, where_touched
    >>> tx = where_touched(trace(0.9))
    >>> _, state = tx.update(jnp.ones((2, 1)), tx.init(jnp.zeros((2, 1))))
    >>> tx.update(jnp.array([[1.0], [0.0]]), state)
    (Array([[1.9],
           [0. ]], dtype=float32), State(trace=Array([[1.9],
           [1. ]], dtype=float32)))
    """

    def update(u, slots, update_inner):
        rows = jnp.any(u != 0, axis=tuple(range(1, u.ndim)))

        def chosen(new, old):
            # State of the whole array, such as the mean of its squares, has no rows.
            if new.shape[:1] != u.shape[:1]:
                return new
            return jnp.where(rows.reshape(u.shape[:1] + (1,) * (new.ndim - 1)), new, old)

        new, after = update_inner(u, slots)
        return chosen(new, jnp.zeros_like(new)), jax.tree.map(chosen, after, slots)

    return lambda like, init_inner: init_inner(like), update

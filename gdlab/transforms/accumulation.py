"""Gradient accumulation: one update out of several micro-batches."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation


class AccumulateState(NamedTuple):
    """State of :func:`accumulate`."""

    micro_step: Any
    """How many micro-batches have come since the last update."""
    mean: Any
    """The mean of their gradients, shaped like the parameters, in float32 at least."""
    inner: Any
    """The state of the inner transformation, which sees one step for every ``steps``."""


@transformation
def accumulate(inner: GradientTransformation, steps: Hyperparameter) -> Any:
    """Average the gradients of several micro-batches and update once.

    ḡ = (g₁ + … + g_steps)/steps goes into ``inner`` on every last of ``steps`` calls; on the others
    the updates are zero and ``inner`` is not run at all (but under ``vmap``, where JAX computes
    both sides of a branch).

    Args:
        inner: the transformation of the averaged gradients.
        steps: micro-batches for each update, at least 1.

    >>> import jax.numpy as jnp
    >>> from gdlab import accumulate, sgd
    >>> tx = accumulate(sgd(1.0), 2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 3.0):
    ...     updates, state = tx.update(jnp.array([g]), state)
    ...     print(updates)
    [0.]
    [-2.]
    """

    def init(params):
        return AccumulateState(
            jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params), inner.init(params)
        )

    def update(updates, state, params=None, **extra):
        count = state.micro_step + 1
        mean = jax.tree.map(
            lambda mean, u: mean + (u - mean) / count.astype(mean.real.dtype), state.mean, updates
        )

        def apply():
            new, inner_state = inner.update(mean, state.inner, params, **extra)
            fresh = jax.tree.map(jnp.zeros_like, mean)
            return new, AccumulateState(jnp.zeros_like(count), fresh, inner_state)

        def wait():
            zeros = jax.tree.map(jnp.zeros_like, mean)
            return zeros, AccumulateState(count, mean, state.inner)

        return jax.lax.cond(count.astype(jnp.asarray(steps).dtype) >= steps, apply, wait)

    return init, update

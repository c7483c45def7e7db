"""Gradient accumulation: one update out of several micro-batches."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import is_inexact
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import is_none, map_arrays
from gdlab.core.transformation import GradientTransformation, transformation


@transformation(reads=EVERYTHING, slots=("micro_step", "mean", "inner"))
def accumulate(inner: GradientTransformation, steps: Hyperparameter) -> TreeFunctions:
    """Average the gradients of several micro-batches and update once.

    ḡ = (g₁ + … + g_steps)/steps goes into ``inner`` on every last of ``steps`` calls; on the others
    the updates are zero and ``inner`` is not run at all, in no lane of a sweep either. The state
    has the ``mean`` of the gradients so far, in float32 at least, and the state of ``inner``.

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
        mean = jax.tree.map(lambda w: jnp.zeros_like(w) if is_inexact(w) else None, params)
        return jnp.zeros((), jnp.int32), mean, inner.init(params)

    def update(updates, state, params, **extra):
        micro_step, mean, inner_state = state
        count = micro_step + 1

        def with_update(mean, u):
            return mean if u is None else mean + (u - mean) / count.astype(mean.real.dtype)

        mean = jax.tree.map(with_update, mean, updates, is_leaf=is_none)
        # Where a parameter has no gradient the inner transformation is given none.
        present = map_arrays(lambda mean, _: mean, mean, updates)
        step = lambda mean, state: inner.update(mean, state, params, **extra)  # noqa: E731
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(step, present, inner_state)[0])

        def apply(mean, present, inner_state):
            new, inner_state = step(present, inner_state)
            return new, jax.tree.map(jnp.zeros_like, mean), inner_state

        def wait(mean, _, inner_state):
            return zeros, mean, inner_state

        due = count.astype(jnp.asarray(steps).dtype) >= steps
        new, mean, inner_state = rarely(due, apply, wait, mean, present, inner_state)
        return new, (jnp.where(due, 0, count), mean, inner_state)

    return init, update

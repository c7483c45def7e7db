"""Gradient accumulation: one update out of several micro-batches."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Period
from gdlab.core.numerics import common_dtype, safe_divide, trained
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import is_none, map_arrays
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.signals.scaling import scale
from gdlab.transforms.steps.periods import is_complete


@transformation(reads=EVERYTHING, slots=("micro_step", "weight", "mean", "inner"))
def accumulate(inner: GradientTransformation, steps: Period) -> TreeFunctions:
    """Average the gradients of several micro-batches, then update once.

    At every ``steps``-th call ``inner`` is given ḡ = Σᵢnᵢgᵢ/Σᵢnᵢ over the last ``steps`` calls. At
    the other calls the updates are zero and ``inner`` is not run at all, not even in a sweep. The
    weight nᵢ is the keyword ``weight`` of ``update``; without it all micro-batches weigh the same.
    If micro-batches differ in their number of tokens, pass that as ``weight`` to weigh all tokens
    equally.

    The state has the ``mean`` of the gradients so far, in at least float32, and the state of
    ``inner``. If a micro-batch may have NaNs, ``apply_if_finite(accumulate(inner, steps))`` ignores
    that micro-batch.

    Args:
        inner: the transformation of the averaged gradients.
        steps: the number of micro-batches per update, at least 1; with 1 the result is ``inner``
            itself.

    >>> import jax.numpy as jnp
    >>> from gdlab import accumulate, sgd
    >>> tx = accumulate(sgd(1.0), 2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g, tokens in ((1.0, 10), (3.0, 30)):
    ...     updates, state = tx.update(jnp.array([g]), state, weight=tokens)
    ...     print(updates)
    [0.]
    [-2.5]
    """

    def init(params):
        mean = jax.tree.map(jnp.zeros_like, trained(params))
        total = jnp.zeros((), common_dtype(jax.tree.leaves(params)))
        return jnp.zeros((), jnp.int32), total, mean, inner.init(params)

    def update(updates, state, params, *, weight=None, **extra):
        micro_step, total, mean, inner_state = state
        count = micro_step + 1
        if weight is None:
            share = 1 / count.astype(total.dtype)
        else:
            weight = jnp.asarray(weight).astype(total.dtype)
            total = total + weight
            share = safe_divide(weight, total)

        def with_update(mean, u):
            return mean if u is None else mean + (u - mean) * share.astype(mean.real.dtype)

        mean = jax.tree.map(with_update, mean, updates, is_leaf=is_none)
        # A parameter without a gradient has none for the inner transformation either.
        present = map_arrays(lambda mean, _: mean, mean, updates)
        step = lambda mean, state: inner.update(mean, state, params, **extra)  # noqa: E731
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(step, present, inner_state)[0])

        def apply(mean, present, inner_state):
            new, inner_state = step(present, inner_state)
            return new, jax.tree.map(jnp.zeros_like, mean), inner_state

        def wait(mean, _, inner_state):
            return zeros, mean, inner_state

        due = is_complete(count, steps)
        new, mean, inner_state = rarely(due, apply, wait, mean, present, inner_state)
        return new, (jnp.where(due, 0, count), jnp.where(due, 0, total), mean, inner_state)

    return init, update


@transformation
def apply_every(k: Period = 1) -> GradientTransformation:
    """Add up the updates of several steps, and return their sum at the last of these steps.

    uₜ = gₜ₋ₖ₊₁ + … + gₜ at every k-th step, and 0 at the others

    Put it after a method in a chain. The state of the method still changes at every step; only the
    parameters move less often. To make one step from several micro-batches, use :func:`accumulate`.

    Args:
        k: the number of steps from one update to the next, at least 1.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_every
    >>> tx = apply_every(2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 3.0):
    ...     updates, state = tx.update(jnp.array([g]), state)
    ...     print(updates)
    [0.]
    [4.]
    """
    return accumulate(scale(k), k)

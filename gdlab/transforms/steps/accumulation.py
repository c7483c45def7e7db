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
    """Average the gradients of several micro-batches and update once.

    ḡ = Σᵢnᵢgᵢ/Σᵢnᵢ over the last ``steps`` calls goes into ``inner`` on every last of them; on the
    others the updates are zero and ``inner`` is not run at all, in no lane of a sweep either. The
    weight nᵢ is the keyword ``weight`` of ``update``, and all weigh the same if it is never given:
    hand over the number of tokens where micro-batches differ in it, and each token counts alike.

    The state has the ``mean`` of the gradients so far, in float32 at least, and the state of
    ``inner``. Where a micro-batch may be bad, put the guard around it:
    ``apply_if_finite(accumulate(inner, steps))`` goes on as if that micro-batch had not been.

    Args:
        inner: the transformation of the averaged gradients.
        steps: micro-batches for each update, at least 1; with 1 it is ``inner`` itself.

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
        # Where a parameter has no gradient the inner transformation is given none.
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
    """Add the updates of several steps up, and hand on their sum at the last of them.

    uₜ = gₜ₋ₖ₊₁ + … + gₜ at every k-th step, and 0 at the others

    It follows a method in a chain, whose state still changes at every step: the parameters move
    less often. For one step out of several micro-batches take :func:`accumulate`.

    Args:
        k: the steps from one update to the next, at least 1.

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

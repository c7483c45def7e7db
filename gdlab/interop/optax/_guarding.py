"""A guard against gradients that are not finite, for a limited number of steps in a row."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import safe_increment
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.steps.guarding import all_finite


@transformation(
    reads=EVERYTHING,
    slots=("notfinite_count", "last_finite", "total_notfinite", "inner_state"),
)
def apply_if_finite(
    inner: GradientTransformation, max_consecutive_errors: Hyperparameter
) -> TreeFunctions:
    """Skip steps whose gradients are not finite, up to a number of steps in a row.

    gdlab's own ``apply_if_finite(inner)`` never applies a bad step, and also checks the updates and
    the new state.

    Args:
        inner: the transformation to guard.
        max_consecutive_errors: the number of bad steps in a row that are skipped; the next one is
            applied.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=5)
    >>> updates, state = tx.update(jnp.array([jnp.nan, 1.0]), tx.init(jnp.zeros(2)))
    >>> updates, int(state.notfinite_count)
    (Array([0., 0.], dtype=float32), 1)
    """

    def init(params):
        zero = jnp.zeros((), jnp.int32)
        return zero, jnp.array(True), zero, inner.init(params)

    def update(updates, state, params, **extra):
        in_a_row, _, total, inner_state = state
        finite = all_finite(updates)
        in_a_row = jnp.where(finite, 0, safe_increment(in_a_row))
        step = lambda u, state: inner.update(u, state, params, **extra)  # noqa: E731
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(step, updates, inner_state)[0])
        new, inner_state = rarely(
            finite | (in_a_row > max_consecutive_errors),
            step,
            lambda _, state: (zeros, state),
            updates,
            inner_state,
        )
        return new, (in_a_row, finite, jnp.where(finite, total, safe_increment(total)), inner_state)

    return init, update

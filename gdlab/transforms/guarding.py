"""A guard against gradients that are not finite."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.numerics import safe_increment
from gdlab.core.transformation import GradientTransformation, transformation


class ApplyIfFiniteState(NamedTuple):
    """State of :func:`apply_if_finite`."""

    last_finite: Any
    """Whether the last step was applied."""
    notfinite_count: Any
    """How many steps in a row have been skipped up to now."""
    total_notfinite: Any
    """How many steps have been skipped in all."""
    inner_state: Any
    """The state of the inner transformation, which skipped steps leave as it was."""


@transformation
def apply_if_finite(inner: GradientTransformation) -> Any:
    """Skip the steps whose gradients, or whose updates, are not finite; count and report them.

    A skipped step changes neither the parameters nor the inner state, so it does not advance
    schedules either, and it is never applied, however many come in a row: read
    ``state.notfinite_count`` to decide when to stop.

    Args:
        inner: the transformation to guard.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_if_finite, sgd
    >>> tx = apply_if_finite(sgd(0.1))
    >>> updates, state = tx.update(jnp.array([jnp.nan, 1.0]), tx.init(jnp.zeros(2)))
    >>> updates, int(state.total_notfinite)
    (Array([0., 0.], dtype=float32), 1)
    """

    def init(params):
        zero = jnp.zeros((), jnp.int32)
        return ApplyIfFiniteState(jnp.array(True), zero, zero, inner.init(params))

    def update(updates, state, params=None, **extra):
        new_updates, new_inner = inner.update(updates, state.inner_state, params, **extra)
        finite = all_finite(updates) & all_finite(new_updates)

        # Selected and not multiplied, so that a NaN cannot get through.
        def chosen(new, old):
            return jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, old)

        zeros = jax.tree.map(jnp.zeros_like, new_updates)
        skipped = safe_increment(state.notfinite_count)
        return chosen(new_updates, zeros), ApplyIfFiniteState(
            last_finite=finite,
            notfinite_count=jnp.where(finite, 0, skipped),
            total_notfinite=jnp.where(
                finite, state.total_notfinite, safe_increment(state.total_notfinite)
            ),
            inner_state=chosen(new_inner, state.inner_state),
        )

    return init, update


def all_finite(tree: Any) -> jax.Array:
    """Whether every element of every leaf is finite."""
    checks = [_finite(jnp.asarray(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.all(jnp.array(checks)) if checks else jnp.array(True)


def _finite(leaf: jax.Array) -> Any:
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return True
    if jnp.iscomplexobj(leaf):
        return _finite(leaf.real) & _finite(leaf.imag)
    # A NaN or an infinity is the largest; to find that is several times faster than to ask each.
    return jnp.max(jnp.abs(leaf), initial=0) < jnp.inf

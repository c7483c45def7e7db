"""A guard against gradients that are not finite."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.numerics import exceeds_squarable, is_inexact, safe_increment, widen
from gdlab.core.rules import EVERYTHING
from gdlab.core.state import State
from gdlab.core.structure import Extra, Params, Tree, Updates
from gdlab.core.transformation import (
    GradientTransformation,
    squares_something,
    transformation,
)


@transformation(
    reads=EVERYTHING,
    slots=("last_finite", "notfinite_count", "total_notfinite", "inner_state"),
)
def apply_if_finite(inner: GradientTransformation) -> TreeFunctions:
    """Skip steps that are not finite, and count them.

    A step is skipped if its gradients or updates are not finite, or if it would leave a value in
    the state that is not finite. If ``inner`` squares gradients, a step is also skipped if a
    gradient has an element above 2⁵⁰ (float64: 2⁴⁹⁸), whose square would dominate the averages of
    many later steps. A skipped step changes neither the parameters nor the inner state, so
    schedules do not advance either. However many steps in a row are not finite, none of them is
    applied: read ``state.notfinite_count``, the number of steps skipped in a row, to decide when to
    stop.

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
        return jnp.array(True), zero, zero, inner.init(params)

    def update(updates, state, params, **extra):
        _, in_a_row, total, old = state
        finite, new_updates, new = step_if(True, inner, updates, old, params, extra)
        return new_updates, (
            finite,
            jnp.where(finite, 0, safe_increment(in_a_row)),
            jnp.where(finite, total, safe_increment(total)),
            new,
        )

    return init, update


def step_if(
    accepted: jax.Array | bool,
    inner: GradientTransformation,
    updates: Updates,
    state: State,
    params: Params,
    extra: Extra,
) -> tuple[jax.Array, Updates, State]:
    """A step of ``inner`` if it is accepted and finite, otherwise none.

    Returns:
        Whether the step is taken, the updates (or zeros), and the new state (or the old one).
    """
    new_updates, new = inner.update(updates, state, params, **extra)
    taken = accepted & all_finite((updates, new_updates)) & _stays_finite(state, new)
    if squares_something(inner):
        taken &= ~_any_exceeds_squarable(updates)

    # Selected, not multiplied by 0, which would leave a NaN.
    def chosen(new, old):
        return jax.tree.map(lambda a, b: jnp.where(taken, a, b), new, old)

    return taken, chosen(new_updates, jax.tree.map(jnp.zeros_like, new_updates)), chosen(new, state)


def all_finite(tree: Tree) -> jax.Array:
    """Tell whether every element of every leaf is finite."""
    # Tested element by element: a maximum over several devices would drop a NaN.
    checks = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree) if is_inexact(leaf)]
    return jnp.all(jnp.array(checks)) if checks else jnp.array(True)


def _any_exceeds_squarable(updates: Updates) -> jax.Array:
    leaves = [widen(leaf) for leaf in jax.tree.leaves(updates) if is_inexact(leaf)]
    return jnp.any(jnp.array([jnp.any(exceeds_squarable(leaf)) for leaf in leaves], bool))


def _stays_finite(old: Tree, new: Tree) -> jax.Array:
    """Tell whether all elements that were finite still are; initial values may be infinite."""

    def stays(old, new):
        return jnp.isfinite(new) | ~jnp.isfinite(old) if is_inexact(new) else jnp.array(True)

    checks = [jnp.all(leaf) for leaf in jax.tree.leaves(jax.tree.map(stays, old, new))]
    return jnp.all(jnp.array(checks)) if checks else jnp.array(True)

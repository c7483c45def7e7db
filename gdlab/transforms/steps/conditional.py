"""Transformations that act at some steps only."""

import jax
import jax.numpy as jnp

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_truth_value
from gdlab.core.authoring import TreeFunctions
from gdlab.core.numerics import safe_increment
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.state import refuse_narrow_within
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation


@transformation(reads=EVERYTHING, slots=("step", "inner_state"))
def conditionally_transform(
    inner: GradientTransformation, should_transform_fn: Function, forward_extra_args: bool = False
) -> TreeFunctions:
    """Apply a transformation at the steps that a function selects; else pass updates unchanged.

    uₜ = inner(gₜ) where should_transform_fn(t) holds, and gₜ elsewhere, t = 0, 1, …

    At the other steps ``inner`` is not run at all, not even in a sweep, and its state and its
    schedules do not advance.

    Args:
        inner: the transformation to apply.
        should_transform_fn: a function from the number of earlier calls, an int32, to a boolean.
        forward_extra_args: whether the function also receives the extra arguments of ``update``,
            such as ``value``, by keyword.

    >>> import jax.numpy as jnp
    >>> from gdlab import conditionally_transform, scale
    >>> tx = conditionally_transform(scale(10.0), lambda step: step >= 1)
    >>> state = tx.init(jnp.zeros(1))
    >>> for _ in range(2):
    ...     updates, state = tx.update(jnp.array([1.0]), state)
    ...     print(updates)
    [1.]
    [10.]
    """
    init, update = _conditionally(inner, should_transform_fn, forward_extra_args, lambda u: u)

    def init_all(params):
        refuse_narrow_within("conditionally_transform", inner.init, params)
        return init(params)

    return init_all, update


@transformation(reads=EVERYTHING, slots=("step", "inner_state"))
def conditionally_mask(
    inner: GradientTransformation, should_transform_fn: Function, forward_extra_args: bool = False
) -> TreeFunctions:
    """Apply a transformation at the steps that a function selects; else return zeros.

    uₜ = inner(gₜ) where should_transform_fn(t) holds, and 0 elsewhere, t = 0, 1, …

    At the other steps ``inner`` is not run at all, not even in a sweep, and its state and its
    schedules do not advance. To skip bad steps, use :func:`apply_if_finite` or
    :func:`skip_outliers`.

    Args:
        inner: the transformation to apply.
        should_transform_fn: a function from the number of earlier calls, an int32, to a boolean.
        forward_extra_args: whether the function also receives the extra arguments of ``update``,
            such as ``value``, by keyword.

    >>> import jax.numpy as jnp
    >>> from gdlab import conditionally_mask, sgd
    >>> tx = conditionally_mask(sgd(0.5), lambda step: step % 2 == 0)
    >>> state = tx.init(jnp.zeros(1))
    >>> for _ in range(2):
    ...     updates, state = tx.update(jnp.array([1.0]), state)
    ...     print(updates)
    [-0.5]
    [0.]
    """
    return _conditionally(inner, should_transform_fn, forward_extra_args, jnp.zeros_like)


def _conditionally(
    inner: GradientTransformation, condition: Function, forwards: bool, otherwise: Function
) -> tuple[Function, Function]:
    def init(params):
        return jnp.zeros((), jnp.int32), inner.init(params)

    def update(updates, state, params, **extra):
        step, inner_state = state

        def act(updates, inner_state):
            return inner.update(updates, inner_state, params, **extra)

        def rest(updates, inner_state):
            return jax.tree.map(otherwise, updates), inner_state

        form = "should_transform_fn(step)"
        due = called_as(form, condition, step, **(extra if forwards else {}))
        if not is_truth_value(due):
            raise TypeError(f"{form} must be True or False, not {due!r}")
        due = jnp.asarray(due)
        updates, inner_state = rarely(due, act, rest, updates, inner_state)
        return updates, (safe_increment(step), inner_state)

    return init, update

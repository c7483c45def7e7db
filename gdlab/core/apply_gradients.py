"""A whole step in one call: compute the update and add it to the parameters."""

import functools
from typing import cast

import jax

from gdlab.core.apply import apply_updates
from gdlab.core.composition import series, stateless
from gdlab.core.dispatch import MANY_LEAVES, runs_in_python, update_at_compiled_speed
from gdlab.core.numerics import arrays_only, is_array
from gdlab.core.opening import Opening, open_rule
from gdlab.core.rules import ArrayRule, Part
from gdlab.core.state import State
from gdlab.core.structure import Function, Leaf, Params, Tree, TreeDef, Updates, Value
from gdlab.core.transformation import GradientTransformation, wiring


def apply_gradients(
    tx: GradientTransformation,
    grads: Updates,
    state: State,
    params: Params,
    **extra: Leaf | Function,
) -> tuple[Params, State]:
    """Take one step: ``tx.update`` and :func:`gdlab.apply_updates` in one call.

    uₜ, sₜ₊₁ = update(gₜ, sₜ, wₜ) and wₜ₊₁ = wₜ + uₜ, as in the two calls. Outside of ``jit`` it is
    one compiled program instead of two; within ``jit`` there is no difference.

    Args:
        tx: the optimizer.
        grads: the gradients, a tree like ``params``.
        state: the state that ``tx.init`` or the last step returned.
        params: the parameters.
        **extra: further inputs of the step, as for ``tx.update``: ``value``, ``grad_fn``, ``key``.

    Returns:
        The new parameters, with the dtypes of ``params``, and the new state.

    Raises:
        TypeError: if ``tx`` is no transformation of gdlab.
        ValueError: in the same cases as ``tx.update`` and :func:`gdlab.apply_updates`.

    >>> import jax.numpy as jnp
    >>> from gdlab import adam, apply_gradients
    >>> tx, params = adam(0.5), {"w": jnp.array([1.0, -1.0])}
    >>> params, state = apply_gradients(tx, {"w": jnp.array([2.0, -4.0])}, tx.init(params), params)
    >>> params
    {'w': Array([ 0.5, -0.5], dtype=float32)}
    """
    if not isinstance(tx, GradientTransformation):
        raise TypeError(
            f"apply_gradients takes a transformation of gdlab, not {tx!r}; chain(tx) makes one of "
            "an optimizer of another library"
        )
    arrays = arrays_only(params)
    new, state = update_at_compiled_speed(_take_step, tx, grads, state, arrays, extra)
    if arrays is not params:
        new = jax.tree.map(lambda old, made: made if is_array(old) else old, params, new)
    return new, state


def _take_step(
    tx: GradientTransformation, grads: Updates, state: Tree, params: Params, extra: dict[str, Value]
) -> tuple[Params, Tree]:
    if _is_fused(tx, jax.tree.leaves(grads), jax.tree.leaves(params)):
        return _parameters_after(tx).update(grads, state, params, **extra)
    updates, state = tx.update(grads, state, params, **extra)
    return apply_updates(params, updates), state


def _is_fused(tx: GradientTransformation, grads: list[Leaf], params: list[Leaf]) -> bool:
    """Tell whether the update and its addition can run as one compiled function of each array."""
    if not MANY_LEAVES < len(grads) == len(params) or runs_in_python(grads):
        return False
    # Low-precision updates are rounded before they are added; the fused rule would not round them.
    return all(map(_are_alike_and_wide, grads, params)) and _is_for_one_array(
        jax.tree.structure(tx)
    )


def _are_alike_and_wide(grad: Leaf, param: Leaf) -> bool:
    dtype = getattr(param, "dtype", None)
    if dtype is None or dtype != getattr(grad, "dtype", None):
        return False
    return dtype.kind in "fc" and dtype.itemsize >= 4


@functools.lru_cache(maxsize=4096)
def _is_for_one_array(structure: TreeDef) -> bool:
    tx = structure.unflatten([0.5] * structure.num_leaves)
    return isinstance(open_rule(tx, Opening()), ArrayRule)


@wiring
def _parameters_after(tx: GradientTransformation) -> ArrayRule:
    """The rule of ``tx`` for one array, which returns the new parameter instead of the update."""
    rule = cast(ArrayRule, cast(Part, tx).rule)
    added = stateless(lambda u, reading: reading.param + u)
    reason = "apply_gradients, which adds to them."
    return series([rule, added._replace(reads={"param": reason})])

"""What a transformation does, once its schedules are numbers: a rule for one array, or for a tree.

A :class:`LeafRule` treats all arrays alike and apart, so that neighbours can be fused and mapped
over the leaves together. A :class:`TreeRule` sees the whole tree.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.numerics import safe_increment
from gdlab.core.parametrized import Parametrized
from gdlab.core.schedule import at_step, has_schedules


class ScheduledState(NamedTuple):
    """State of a transformation some of whose hyperparameters follow a schedule."""

    count: jax.Array
    """The number of updates applied."""
    inner: Any
    """The state of the transformation itself."""


class LeafRule(NamedTuple):
    """A transformation of one array at a time.

    Its state has two parts: *slots*, kept for each array, and *shared* scalars, which
    ``advance`` renews once a step and from which it makes the *context* that ``update`` reads.
    """

    init: Callable[[Any], Any]
    """``init(param)`` → slots"""
    update: Callable[[Any, Any, Any, Any], tuple[Any, Any]]
    """``update(update, slots, param, context)`` → update, slots"""
    start: Callable[[Any], Any] = lambda _: ()
    """``start(dtype)`` → shared scalars before the first step"""
    advance: Callable[[Any], tuple[Any, Any]] = lambda _: ((), ())
    """``advance(shared)`` → shared, context"""
    pack: Callable[[Any, Any], Any] = lambda slots, _: slots
    """``pack(slots, shared)`` → the state as users see it"""
    unpack: Callable[[Any], tuple[Any, Any]] = lambda state: (state, ())
    """``unpack(state)`` → slots, shared"""
    needs_params: str | None = None
    """Which transformation needs ``params`` and why, if one does."""


class TreeRule(NamedTuple):
    """A transformation of a whole tree."""

    init: Callable[[Any], Any]
    """``init(params)`` → state"""
    update: Callable[[Any, Any, Any, dict[str, Any]], tuple[Any, Any]]
    """``update(updates, state, params, extra)`` → updates, state"""
    reads: Callable[[str], bool]
    """Whether the update reads the extra argument of this name."""
    delegates: bool = False
    """Whether it only passes updates on between other transformations."""


def rule_of(tx: Parametrized) -> LeafRule | TreeRule:
    """What ``tx`` does."""
    if not has_schedules(tx):
        return _opened(tx)
    at_start = _opened(at_step(tx, 0))
    if isinstance(at_start, LeafRule):
        return _scheduled_leaf_rule(tx, at_start)
    return _scheduled_tree_rule(tx, at_start)


def leaf_rule_of(tx: Parametrized) -> LeafRule:
    """What a ``tx`` that is known to be leafwise does."""
    rule = rule_of(tx)
    assert isinstance(rule, LeafRule)
    return rule


def _opened(tx: Parametrized) -> LeafRule | TreeRule:
    made = tx._open()
    if isinstance(made, LeafRule | TreeRule):
        return made
    if isinstance(made, Parametrized):
        return rule_of(made)
    return tx._factory.adapt(tx._factory, made)


def _scheduled_leaf_rule(tx: Parametrized, at_start: LeafRule) -> LeafRule:
    def advance(shared):
        count, inner = shared
        now = at_step(tx, count)
        inner, context = leaf_rule_of(now).advance(inner)
        return (safe_increment(count), inner), (now, context)

    def update(u, slots, param, context):
        now, inner_context = context
        return leaf_rule_of(now).update(u, slots, param, inner_context)

    def unpack(state):
        count, inner = _counted(tx, state)
        slots, shared = at_start.unpack(inner)
        return slots, (count, shared)

    return LeafRule(
        init=at_start.init,
        update=update,
        start=lambda dtype: (jnp.zeros((), jnp.int32), at_start.start(dtype)),
        advance=advance,
        pack=lambda slots, shared: ScheduledState(shared[0], at_start.pack(slots, shared[1])),
        unpack=unpack,
        needs_params=at_start.needs_params,
    )


def _scheduled_tree_rule(tx: Parametrized, at_start: TreeRule) -> TreeRule:
    def init(params):
        return ScheduledState(jnp.zeros((), jnp.int32), at_start.init(params))

    def update(updates, state, params, extra):
        count, inner = _counted(tx, state)
        updates, inner = _opened(at_step(tx, count)).update(updates, inner, params, extra)
        return updates, ScheduledState(safe_increment(count), inner)

    return TreeRule(init, update, at_start.reads)


def _counted(tx: Parametrized, state: Any) -> ScheduledState:
    if isinstance(state, ScheduledState):
        return state
    raise ValueError(
        f"{tx!r} follows a schedule, but the state counts no steps: it was made by a "
        "transformation without one; make it by init, or start from a constant_schedule"
    )


def missing_params(needs: str) -> str:
    """What to say when they are missing."""
    return (
        f"params are needed by {needs} Call update(updates, state, params) with the parameters "
        "that the updates are for"
    )

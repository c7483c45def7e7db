"""What a transformation does, once its schedules are numbers: a rule for one array, or for a tree.

A :class:`LeafRule` treats all arrays alike and apart, so that neighbours can be fused and mapped
over the leaves together. A :class:`TreeRule` sees the whole tree.
"""

import inspect
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.numerics import as_before, safe_increment, strong
from gdlab.core.parametrized import Parametrized
from gdlab.core.schedule import at_step, has_schedules


class Shared(NamedTuple):
    """Scalars that all arrays of a leafwise rule share; they are computed once a step.

    An author returns it as the third of ``init, update, shared`` and receives the new scalars in
    ``update(..., shared)``.
    """

    init: Callable[[], Any]
    """``init()`` → the scalars before the first step."""
    update: Callable[[Any], Any]
    """``update(scalars)`` → the scalars of this step."""


class SharedState(NamedTuple):
    """State of a leafwise rule with shared scalars."""

    slots: Any
    """What each array keeps, shaped like the parameters."""
    shared: Any
    """The scalars that all arrays share."""


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


def author_leaf_rule(factory: Any, made: Any) -> LeafRule:
    """The rule of a ``@leafwise`` closure: ``update``, or ``init, update[, shared]``."""
    init, update, shared = _author_parts(factory, made)
    reads = _argument_names(update)
    stateful = init is not None

    def apply(u, slots, param, context):
        arguments = {"param": param, "shared": context}
        keyword = {name: value for name, value in arguments.items() if name in reads}
        out = update(u, slots, **keyword) if stateful else (update(u, **keyword), ())
        return _pair(factory, out)

    rule = LeafRule(
        init=init or (lambda _: ()),
        update=apply,
        needs_params=reason_for_params(factory) if "param" in reads else None,
    )
    if shared is None:
        return rule

    def advance(scalars):
        scalars = shared.update(scalars)
        return scalars, scalars

    return rule._replace(
        start=lambda dtype: jax.tree.map(lambda x: jnp.asarray(x, dtype), shared.init()),
        advance=advance,
        pack=SharedState,
        unpack=lambda state: (state.slots, state.shared),
    )


def author_tree_rule(factory: Any, made: Any) -> TreeRule:
    """The rule of a ``@transformation`` closure: ``update``, or ``init, update``."""
    init, update, _ = _author_parts(factory, made)
    parameters = inspect.signature(update).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    # The parameters follow the updates and the state, whatever a foreign author calls them.
    of_params = positional[1 if init is None else 2 :][:1]
    needs_params = any(p.default is p.empty for p in of_params)

    def reads(name):
        return takes_all or name in parameters

    def apply(updates, state, params, extra):
        if needs_params and params is None:
            raise ValueError(missing_params(reason_for_params(factory)))
        arguments = [params] if of_params else []
        keyword = {name: value for name, value in extra.items() if reads(name)}
        if init is None:
            return update(updates, *arguments, **keyword), ()
        updates, new = _pair(factory, update(updates, state, *arguments, **keyword))
        return updates, _checked_state(factory, new, state)

    return TreeRule(lambda params: strong(init(params)) if init else (), apply, reads)


def _checked_state(factory: Any, new: Any, old: Any) -> Any:
    if jax.tree.structure(new) != jax.tree.structure(old):
        raise TypeError(
            f"{factory.name}: update changed the state's structure from "
            f"{jax.tree.structure(old)} to {jax.tree.structure(new)}"
        )
    return as_before(new, old)


def reason_for_params(factory: Any) -> str:
    """Which transformation reads the parameters, and what it does with them."""
    sentence = (inspect.getdoc(factory.function) or "").split("\n")[0]
    return f"{factory.name}, which is: {sentence}" if sentence else factory.name


def missing_params(needs: str) -> str:
    """What to say when they are missing."""
    return (
        f"params are needed by {needs} Call update(updates, state, params) with the parameters "
        "that the updates are for"
    )


def _author_parts(factory: Any, made: Any) -> tuple[Any, Any, Shared | None]:
    if callable(made):
        return None, made, None
    if isinstance(made, tuple) and len(made) in (2, 3) and all(map(callable, made[:2])):
        return made[0], made[1], made[2] if len(made) == 3 else None
    raise TypeError(
        f"{factory.name} must return init and update (or update alone if there is no state), "
        f"not {made!r}"
    )


def _pair(factory: Any, out: Any) -> tuple[Any, Any]:
    if isinstance(out, tuple) and len(out) == 2:
        return out
    raise TypeError(f"{factory.name}: update must return the pair (update, state), not {out!r}")


def _argument_names(function: Callable[..., Any]) -> tuple[str, ...]:
    if isinstance(function, types.FunctionType) and not hasattr(function, "__wrapped__"):
        # A rule is made anew at each step outside jit, and a signature takes long to make.
        code = function.__code__
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return tuple(inspect.signature(function).parameters)

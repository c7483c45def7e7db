"""From what an author writes to a rule: closures that return ``init`` and ``update``."""

import inspect
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.numerics import as_before, strong
from gdlab.core.rules import LeafRule, TreeRule, missing_params


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

"""Line searches for losses with further arguments, and the value and gradient that they know."""

import inspect
from typing import Any, cast

import jax

import gdlab
from gdlab.core.rules import EVERYTHING, Part, TreeRule
from gdlab.core.state import KnowsNextGradient, evaluations_made
from gdlab.core.structure import Function, Params, Tree
from gdlab.core.transformation import GradientTransformation, wiring
from gdlab.interop.optax._adapting import adapted
from gdlab.interop.optax._handed_on import HERE, handed_on


@wiring
def with_arguments(search: GradientTransformation) -> TreeRule:
    """Make a line search whose loss takes keywords of ``update`` by their names.

    In optax the loss of a search may have further arguments, such as a batch, which are passed as
    in ``update(…, value_fn=loss, batch=batch)``.
    """
    rule = cast(TreeRule, cast(Part, search).rule)

    def update(updates, values, params, extra):
        loss = extra.get("value_fn")
        if loss is not None:
            named = [name for name in inspect.signature(loss).parameters if name in extra]
            arguments = {name: extra[name] for name in named}
            extra = dict(extra) | {"value_fn": lambda own: loss(own, **arguments)}
        return rule.update(updates, values, params, extra)

    reads = dict(rule.reads) | {EVERYTHING: "a line search, whose loss may take any argument."}
    return rule._replace(update=update, reads=reads)


scale_by_backtracking_linesearch = adapted(
    gdlab.scale_by_backtracking_linesearch,
    __name__,
    finish=with_arguments,
    ignored={"store_grad": False, "verbose": False},
)
scale_by_zoom_linesearch = adapted(
    gdlab.scale_by_zoom_linesearch,
    __name__,
    finish=with_arguments,
    ignored={"verbose": False},
)


def value_and_grad_from_state(value_fn: Function) -> Function:
    """Make a function like ``jax.value_and_grad(value_fn)`` that reuses values in the state.

    ``value_and_grad(params, state=state)`` returns the value and gradient that a line search
    computed where it stopped, at ``params``; before the first step they are computed.

    Args:
        value_fn: the loss.

    Raises:
        ValueError: if the state does not contain that of a line search.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> loss = lambda w: jnp.sum(w**2)
    >>> params = jnp.ones(2)
    >>> state = optax.lbfgs().init(params)
    >>> optax.value_and_grad_from_state(loss)(params, state=state)
    (Array(2., dtype=float32), Array([2., 2.], dtype=float32))
    """

    def value_and_grad(
        params: Params, *args: Any, state: Tree, **kwargs: Any
    ) -> tuple[jax.Array, Tree]:
        knows = lambda node: isinstance(node, KnowsNextGradient)  # noqa: E731
        found = [node for node in jax.tree.leaves(state, is_leaf=knows) if knows(node)]
        if not found:
            theirs = handed_on(HERE)("value_and_grad_from_state")
            return theirs(value_fn)(params, *args, state=state, **kwargs)
        value, grad = found[-1].next_value_and_grad()

        def compute() -> tuple[jax.Array, Tree]:
            seen = jax.value_and_grad(value_fn)(params, *args, **kwargs)
            return jax.tree.map(lambda new, old: new.astype(old.dtype), seen, (value, grad))

        return jax.lax.cond(evaluations_made(state) > 0, lambda: (value, grad), compute)

    return value_and_grad

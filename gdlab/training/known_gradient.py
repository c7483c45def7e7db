"""States that know value and gradient of the next step, so that it need not compute them.

A line search has evaluated the point at which it stopped. While the loss is the same function at
each step, of all the data and without randomness, the next step begins with what it found.
"""

from typing import Any

import jax

from gdlab.core.state import KnowsNextGradient
from gdlab.core.structure import Params, Tree
from gdlab.core.transformation import GradientTransformation
from gdlab.core.wiring import last_link


def next_value_and_grad(
    tx: GradientTransformation, state: Tree, params: Params
) -> tuple[jax.Array, Tree] | None:
    """Value and gradient at the parameters that the last update led to, None if none knows them.

    Only the last part of a transformation knows: what follows it would move the parameters on.

    Args:
        tx: the transformation.
        state: its state.
        params: parameters for which the state was made.
    """
    # The last part may keep nothing, and then the last entry of the state is not its own.
    if not _ends_in_one_that_knows(jax.eval_shape(last_link(tx).init, params)):
        return None
    last = jax.tree.leaves(state, is_leaf=_knows)[-1]
    if isinstance(last, KnowsNextGradient):
        value, grad = last.next_value_and_grad()
    else:
        value, grad = last.value, last.grad
    # One that sees some of the parameters only does not know the whole gradient.
    return (value, grad) if jax.tree.structure(grad) == jax.tree.structure(params) else None


def _ends_in_one_that_knows(state: Tree) -> bool:
    nodes = jax.tree.leaves(state, is_leaf=_knows)
    return bool(nodes) and _knows(nodes[-1])


def _knows(node: Any) -> bool:
    return isinstance(node, KnowsNextGradient) or _is_of_optax(node)


def _is_of_optax(node: Any) -> bool:
    """Tell whether a node is the state of a line search of optax, which has these two names."""
    fields = getattr(node, "_fields", ())
    return "value" in fields and "grad" in fields and jax.tree.leaves(node.grad) != []

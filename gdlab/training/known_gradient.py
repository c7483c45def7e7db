"""Value and gradient of the next step, as known from the state of a line search.

A line search has evaluated the point at which it stopped. If the loss is the same function at each
step, on all the data and without randomness, the next step can reuse its value and gradient.
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
    """Value and gradient after the last update, if the state knows them; otherwise None.

    Only the last link of a chain can know them, since later links would change the update.

    Args:
        tx: the transformation.
        state: its state.
        params: parameters for which the state was made.
    """
    # If the last link keeps no state, the last entry of the state belongs to another link.
    if not _ends_in_one_that_knows(jax.eval_shape(last_link(tx).init, params)):
        return None
    last = jax.tree.leaves(state, is_leaf=_knows)[-1]
    if isinstance(last, KnowsNextGradient):
        value, grad = last.next_value_and_grad()
    else:
        value, grad = last.value, last.grad
    # A link that is masked to some of the parameters does not know the whole gradient.
    return (value, grad) if jax.tree.structure(grad) == jax.tree.structure(params) else None


def _ends_in_one_that_knows(state: Tree) -> bool:
    nodes = jax.tree.leaves(state, is_leaf=_knows)
    return bool(nodes) and _knows(nodes[-1])


def _knows(node: Any) -> bool:
    return isinstance(node, KnowsNextGradient) or _is_of_optax(node)


def _is_of_optax(node: Any) -> bool:
    """Tell whether a node is the state of optax's line search, by its two field names."""
    fields = getattr(node, "_fields", ())
    return "value" in fields and "grad" in fields and jax.tree.leaves(node.grad) != []

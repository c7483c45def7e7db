"""States that know value and gradient of the next step, so that it need not compute them.

A line search has evaluated the point at which it stopped. While the loss is the same function at
each step, of all the data and without randomness, the next step begins with what it found.
"""

from typing import Any

import jax

from gdlab.core.state import KnowsNextGradient
from gdlab.core.structure import Tree


def next_value_and_grad(state: Tree) -> tuple[jax.Array, Tree] | None:
    """Value and gradient at the parameters that the last update led to, None if none knows them.

    Only the last part of a transformation knows: what follows it would move the parameters on.
    """
    nodes = jax.tree.leaves(state, is_leaf=_knows)
    last = nodes[-1] if nodes else None
    if isinstance(last, KnowsNextGradient):
        return last.next_value_and_grad()
    return (last.value, last.grad) if last is not None and _is_of_optax(last) else None


def _knows(node: Any) -> bool:
    return isinstance(node, KnowsNextGradient) or _is_of_optax(node)


def _is_of_optax(node: Any) -> bool:
    """Whether a node is the state of a line search of optax, which keeps both under these names."""
    fields = getattr(node, "_fields", ())
    return "value" in fields and "grad" in fields and jax.tree.leaves(node.grad) != []

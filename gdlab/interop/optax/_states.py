"""Entries of states, set by name."""

from collections.abc import Callable
from typing import Any

import jax

from gdlab.core.state import State
from gdlab.core.structure import Tree, Value
from gdlab.interop.optax._handed_on import HERE, handed_on


def tree_set(
    tree: Tree, filtering: Callable[[Any, Any], bool] | None = None, /, **kwargs: Value
) -> Tree:
    """A copy of a state with other values of the entries of these names, wherever they are.

    Args:
        tree: the state of gdlab's transformations, of optax's, or of both together.
        filtering: from the path and the value of an entry, whether it is one that is meant.
        **kwargs: the values by name.

    Raises:
        ImportError: without optax, whose function it is that finds the entries.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> state = optax.adam(0.1).init(jnp.ones(1))
    >>> optax.tree_utils.tree_set(state, count=jnp.int32(5)).count
    Array(5, dtype=int32)
    """
    changed = handed_on(f"{HERE}.tree_utils")("tree_set")
    return _as_states(tree, changed(tree, filtering, **kwargs))


def _as_states(old: Tree, new: Tree) -> Tree:
    """``new``, in which dictionaries are states where ``old`` has states."""

    def restored(old: Tree, new: Tree) -> Tree:
        if not isinstance(old, State):
            return new
        return State.of(old, (_as_states(value, new[name]) for name, value in old.items()))

    return jax.tree.map(restored, old, new, is_leaf=lambda node: isinstance(node, State))

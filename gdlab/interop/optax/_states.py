"""Functions that set entries of states by name, and map over them."""

from collections.abc import Callable
from typing import Any

import jax

from gdlab.core.state import State, is_state
from gdlab.core.structure import Tree, Value
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.optax._base import OptState, TransformInitFn
from gdlab.interop.optax._handed_on import HERE, handed_on


def tree_set(
    tree: Tree, filtering: Callable[[Any, Any], bool] | None = None, /, **kwargs: Value
) -> Tree:
    """A copy of a state with new values for all entries of some names.

    Args:
        tree: a state of gdlab's or optax's transformations, or of both together.
        filtering: ``filtering(path, value)``, which tells whether an entry is to be set.
        **kwargs: the values by name.

    Raises:
        ImportError: if optax, which finds the entries, is not installed.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> state = optax.adam(0.1).init(jnp.ones(1))
    >>> optax.tree_utils.tree_set(state, count=jnp.int32(5)).count
    Array(5, dtype=int32)
    """
    changed = handed_on(f"{HERE}.tree_utils")("tree_set")
    return _as_states(tree, changed(tree, filtering, **kwargs))


def _as_states(old: Tree, new: Tree) -> Tree:
    """``new`` with dictionaries converted to states where ``old`` has states."""

    def restored(old: Tree, new: Tree) -> Tree:
        if not isinstance(old, State):
            return new
        return State.of(old, (_as_states(value, new[name]) for name, value in old.items()))

    return jax.tree.map(restored, old, new, is_leaf=is_state)


def tree_map_params(
    initable: GradientTransformation | TransformInitFn,
    f: Callable[..., Any],
    state: OptState,
    /,
    *rest: Tree,
    transform_non_params: Callable[[Any], Any] | None = None,
    is_leaf: Callable[[Any], bool] | None = None,
) -> OptState:
    """Apply a function to all parts of a state that belong to a parameter.

    Args:
        initable: the optimizer, or its ``init``.
        f: a function of an array of the state and of the nodes of ``rest`` for its parameter.
        state: a state of gdlab's or optax's transformations, or of both together.
        *rest: trees like the parameters, such as a tree of shardings.
        transform_non_params: a function for all other leaves; by default they are unchanged.
        is_leaf: ``is_leaf(node)``, which tells whether ``f`` is given the whole node.

    Raises:
        ImportError: if optax, which finds the parts of the parameters, is not installed.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.masked(optax.sgd(0.1, momentum=0.9), {"w": True, "b": False})
    >>> state = tx.init({"w": jnp.zeros(2), "b": jnp.zeros(2)})
    >>> optax.tree_map_params(tx, lambda _, name: name, state, {"w": "of w", "b": "of b"})
    State(inner_state=State(trace={'b': None, 'w': 'of w'}))
    """

    def of_parameter(kept: Tree, *others: Tree) -> Tree:
        return jax.tree.map(lambda leaf: f(leaf, *others), kept, is_leaf=is_leaf)

    def over(kept: Tree) -> Tree:
        if not rest:
            return of_parameter(kept)
        # A transformation may keep nothing for some parameters, and several arrays for others.
        leaves, treedef = jax.tree.flatten(rest[0], is_leaf=is_leaf)
        others = [leaves, *map(treedef.flatten_up_to, rest[1:])]
        return treedef.unflatten(map(of_parameter, treedef.flatten_up_to(kept), *others))

    mapped = handed_on(f"{HERE}.tree_utils")("tree_map_params")
    whole = lambda _: True  # noqa: E731
    return mapped(initable, over, state, transform_non_params=transform_non_params, is_leaf=whole)

"""Stacks: the slots of several leaves of the same kind, as one array with one more axis.

A rule for one array is mapped over a stack by ``jax.vmap``, so that it treats each array of a stack
separately, whatever it does along the axes of an array.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.checks.checked import checked
from gdlab.checks.kinds import StateTree
from gdlab.core.structure import (
    Function,
    Leaf,
    Tree,
    TreeDef,
    Updates,
    flatten,
    flatten_like,
    leaves_with_paths,
)


class Layout:
    """The assignment of the leaves of a tree to stacks.

    Args:
        treedef: the structure of the tree, with ``None`` as a leaf.
        members: the positions of the leaves in each stack.
    """

    __slots__ = ("_hash", "members", "names", "paths", "treedef")

    def __init__(self, treedef: TreeDef, members: tuple[tuple[int, ...], ...]):
        self.treedef: TreeDef = treedef
        self.members: tuple[tuple[int, ...], ...] = members
        self.paths: tuple[str, ...] = tuple(path for path, _ in leaves_with_paths(self.positions()))
        """The dotted path of each leaf."""
        self.names: tuple[str, ...] = tuple(self.paths[first] or "0" for first, *_ in members)
        """The names of the stacks: each has the name of its first leaf."""
        self._hash = hash((treedef, members))

    def positions(self) -> Tree:
        """A tree of this structure in which each leaf is its own position, an integer."""
        return self.treedef.unflatten(range(self.treedef.num_leaves))

    def require_fits(self, updates: Updates, leaves: Sequence[Leaf]) -> None:
        """Raise if updates do not match the parameters of the stacks.

        Raises:
            ValueError: if they differ; the message names the first path.
        """
        flatten_like("updates", updates, "the state's stacks", self.positions(), self.treedef)
        stacked = {index: members[0] for members in self.members for index in members}
        for index, leaf in enumerate(leaves):
            path = self.paths[index]
            if (leaf is None) is (index in stacked):
                one, other = ("nothing", "an array") if leaf is None else ("an array", "nothing")
                raise ValueError(
                    f"updates have {one} at {path!r}, where the parameters that the state's "
                    f"stacks were made for had {other}"
                )
            first = leaves[stacked.get(index, index)]
            if leaf is not None and jnp.shape(leaf) != jnp.shape(first):
                raise ValueError(
                    f"the updates at {path!r} are of shape {jnp.shape(leaf)}, but at "
                    f"{self.paths[stacked[index]]!r}, with which the state has them in one stack, "
                    f"of {jnp.shape(first)}"
                )

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Layout)
            and self._hash == other._hash
            and self.members == other.members
            and self.treedef == other.treedef
        )

    def __reduce__(self) -> tuple[object, ...]:
        return layout_like, (self.positions(), self.members)

    def __repr__(self) -> str:
        return f"Layout({self.treedef!r}, {self.members!r})"


def layout_like(tree: Tree, members: Sequence[Sequence[int]]) -> Layout:
    """The layout of a tree with the structure of ``tree``, given the leaves in each stack."""
    return Layout(flatten(tree)[1], tuple(tuple(stack) for stack in members))


class Stacks:
    """The values of a slot for the leaves of a tree, in stacks of arrays of the same kind.

    Args:
        layout: the assignment of leaves to stacks.
        stacks: the value of each stack, a tree of arrays whose first axis runs over the leaves.
    """

    __slots__ = ("layout", "stacks")

    def __init__(self, layout: Layout, stacks: Iterable[Tree]):
        self.layout: Layout = layout
        self.stacks: tuple[Tree, ...] = tuple(stacks)

    def by_name(self) -> dict[str, Tree]:
        """The value of each stack, by the name of the stack."""
        return dict(zip(self.layout.names, self.stacks, strict=True))

    def tree(self) -> Tree:
        """The slots as a tree like the parameters."""
        leaves: list[Tree] = [None] * len(self.layout.paths)
        for members, stack in zip(self.layout.members, self.stacks, strict=True):
            for index, value in zip(members, values_in(stack, len(members)), strict=True):
                leaves[index] = value
        return self.layout.treedef.unflatten(leaves)

    def like(self, tree: Tree) -> "Stacks":
        """A tree like the parameters, in stacks of this layout."""
        leaves = self.layout.treedef.flatten_up_to(tree)
        return Stacks(self.layout, [_joined(self.layout, leaves, m) for m in self.layout.members])

    def __repr__(self) -> str:
        return f"Stacks({self.by_name()!r})"


jax.tree_util.register_pytree_with_keys(
    Stacks,
    lambda kept: (
        [(jax.tree_util.DictKey(name), stack) for name, stack in kept.by_name().items()],
        kept.layout,
    ),
    Stacks,
    lambda kept: (kept.stacks, kept.layout),
)


@functools.cache
def make_stacks_known_to_flax() -> None:
    """Register stacks with Flax's serialization."""
    from flax import serialization

    def to_state_dict(kept: Stacks) -> dict[str, Tree]:
        stacks = kept.by_name()
        return {name: serialization.to_state_dict(stack) for name, stack in stacks.items()}

    def from_state_dict(kept: Stacks, stored: dict[str, Tree]) -> Stacks:
        stacks = kept.by_name()
        if set(stored) != set(stacks):
            raise ValueError(f"what is stored has the stacks {sorted(stored)}, not {list(stacks)}")
        return Stacks(
            kept.layout,
            [serialization.from_state_dict(stack, stored[name]) for name, stack in stacks.items()],
        )

    serialization.register_serialization_state(Stacks, to_state_dict, from_state_dict)


def is_stacks(node: object) -> bool:
    """Tell whether a node of a state is slots in stacks."""
    return isinstance(node, Stacks)


def has_stacks(state: Tree) -> bool:
    """Tell whether any node of a state is slots in stacks."""
    return any(map(is_stacks, jax.tree.leaves(state, is_leaf=is_stacks)))


def stack_of(arrays: Sequence[Leaf]) -> Leaf:
    """Arrays of one shape, stacked along a new first axis; None if all of them are None."""
    if arrays[0] is None:
        return None
    dtypes = {jnp.result_type(array) for array in arrays}
    if len(dtypes) > 1:
        widest = functools.reduce(np.promote_types, dtypes)
        arrays = [jax.lax.convert_element_type(array, widest) for array in arrays]
    return jnp.stack(arrays)


class StackedArrays(NamedTuple):
    """The arrays of the leaves in one stack."""

    updates: Sequence[Leaf]
    slots: Sequence[Tree]
    """The stacked slots, with a first axis that runs over the leaves."""
    params: Sequence[Leaf]
    grads: Sequence[Leaf]
    keys: Sequence[Leaf]


def over_stack(
    update_for: Callable[[Mapping[int, Leaf]], Function], structure: Mapping[int, Leaf]
) -> Callable[[StackedArrays, Mapping[int, Leaf]], tuple[list[Leaf], Sequence[Tree]]]:
    """``run(arrays, numbers)``: the updates of the leaves in a stack, and their slots together.

    Args:
        update_for: ``update_for(values)(update, slots, param, grad, key)`` returns the update of
            one array with these values by leaf, and the list of its slots.
        structure: the values that all leaves in the stack share; ``numbers`` are the values in
            which they differ, as arrays whose first axis runs over the leaves.
    """

    def one(numbers, *arrays):
        return update_for({**structure, **numbers})(*arrays)

    def run(arrays, numbers):
        new, after = jax.vmap(one)(
            numbers,
            stack_of(arrays.updates),
            arrays.slots,
            stack_of(arrays.params),
            stack_of(arrays.grads),
            stack_of(arrays.keys),
        )
        return values_in(new, len(arrays.updates)), after

    return run


def values_in(stack: Tree, count: int) -> list[Tree]:
    """The values in a stack of ``count`` leaves."""
    leaves, treedef = jax.tree.flatten(stack)
    columns = [list(leaf) for leaf in leaves]
    return [treedef.unflatten([column[index] for column in columns]) for index in range(count)]


def _joined(layout: Layout, leaves: Sequence[Tree], members: Sequence[int]) -> Tree:
    values = [leaves[index] for index in members]
    for index, value in zip(members, values, strict=True):
        if _placements(value) != _placements(values[0]):
            raise ValueError(
                f"what is kept for {layout.paths[members[0]]!r} and {layout.paths[index]!r} lies "
                "differently over the devices, so it cannot be in one stack: give the two "
                "different labels, stacked(tx, labels=…)"
            )
    return jax.tree.map(lambda *arrays: stack_of(arrays), *values)


def _placements(value: Tree) -> list[object]:
    """The sharding of each array, if known."""
    return [
        jax.typeof(array).sharding.spec if isinstance(array, Tracer) else array.sharding
        for array in jax.tree.leaves(value)
    ]


@checked
def unstacked(state: StateTree) -> Tree:
    """The state of a stacked method, converted to that of the method itself.

    Args:
        state: a state of ``stacked(tx)``, with stacks at any depth.

    Returns:
        The state that ``tx`` alone would have, whose entries are trees like the parameters. A state
        without stacks is returned unchanged.

    >>> import jax.numpy as jnp
    >>> from gdlab import stacked, sgd, unstacked
    >>> params = {"first": jnp.zeros(2), "second": jnp.zeros(2)}
    >>> state = stacked(sgd(0.1, momentum=0.9)).init(params)
    >>> state.trace.by_name()["first"].shape
    (2, 2)
    >>> unstacked(state).trace["second"]
    Array([0., 0.], dtype=float32)
    """
    return jax.tree.map(
        lambda node: node.tree() if is_stacks(node) else node, state, is_leaf=is_stacks
    )


@checked
def stacked_like(state: StateTree, like: StateTree) -> Tree:
    """The state of a method, converted to that of the stacked method; inverse of :func:`unstacked`.

    Args:
        state: a state of ``tx``.
        like: a state of ``stacked(tx)``, such as its ``init`` returns.

    Raises:
        ValueError: if the two are not states of one method for the same parameters.

    >>> import jax.numpy as jnp
    >>> from gdlab import stacked, stacked_like, sgd
    >>> params, tx = {"first": jnp.zeros(2), "second": jnp.zeros(2)}, sgd(0.1, momentum=0.9)
    >>> stacked_like(tx.init(params), stacked(tx).init(params)).trace.by_name()["first"].shape
    (2, 2)
    """
    nodes, treedef = jax.tree.flatten(like, is_leaf=is_stacks)
    parts = treedef.flatten_up_to(state)
    return treedef.unflatten(
        [
            node.like(part) if is_stacks(node) and not is_stacks(part) else part
            for node, part in zip(nodes, parts, strict=True)
        ]
    )

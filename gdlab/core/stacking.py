"""The making of stacks in a state that ``init`` has made leaf by leaf."""

import math
from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import Any, TypeAlias

import jax

from gdlab.core.slots_by_leaf import SlotsByLeaf
from gdlab.core.stacks import Layout, Stacks
from gdlab.core.structure import Tree

Size: TypeAlias = Callable[[int], int]
"""The most arrays in a stack, for arrays of so many elements."""


def in_stacks(values: Tree, size: Size) -> Tree:
    """A state whose slots have been noted leaf by leaf, with those of alike leaves in stacks."""
    is_noted = lambda node: isinstance(node, SlotsByLeaf)  # noqa: E731
    rules: dict[int, list[SlotsByLeaf]] = {}
    for node in jax.tree.leaves(values, is_leaf=is_noted):
        if is_noted(node):
            rules.setdefault(node.rule, []).append(node)
    layouts = {rule: _layout(columns, size) for rule, columns in rules.items()}

    def joined(node: Tree) -> Tree:
        if not is_noted(node):
            return node
        layout = layouts[node.rule]
        return Stacks(layout, ()).like(layout.treedef.unflatten(node.slots))

    return jax.tree.map(joined, values, is_leaf=is_noted)


def _layout(columns: list[SlotsByLeaf], size: Size) -> Layout:
    """The stacks of leaves of one kind for which the same is kept."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    first = columns[0]
    rows = zip(*(column.slots for column in columns), strict=True)
    for index, (kind, row) in enumerate(zip(first.kinds, rows, strict=True)):
        if kind is not None:
            alike.setdefault((kind, *map(_type_of, row)), []).append(index)
    stacks = []
    for (((shape, *_), _), *_), members in alike.items():
        most = max(size(math.prod(shape)), 1)
        # Of nearly one length, so that few lengths are compiled.
        count = math.ceil(len(members) / most)
        ends = [len(members) * part // count for part in range(count + 1)]
        stacks += [tuple(members[start:end]) for start, end in pairwise(ends)]
    return Layout(first.treedef, tuple(sorted(stacks)))


def _type_of(slot: Tree) -> Hashable:
    """The structure of a slot, and the types of its arrays."""
    leaves, treedef = jax.tree.flatten(slot)
    return treedef, tuple((leaf.shape, leaf.dtype) for leaf in leaves)

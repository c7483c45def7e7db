"""Alike arrays of the parameters, updated together."""

import math
import sys
from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import Any, TypeAlias, cast

import jax

from gdlab.checks.kinds import Count
from gdlab.core.by_leaf import ByLeaf, Structure
from gdlab.core.dispatch import as_tree_rule
from gdlab.core.rules import Part, TreeRule
from gdlab.core.slots_by_leaf import SlotsByLeaf, recording_slots
from gdlab.core.stacks import Layout, Stacks, make_stacks_known_to_flax
from gdlab.core.structure import Tree
from gdlab.core.transformation import GradientTransformation, wiring

StackLength: TypeAlias = Callable[[int], int]
"""The most arrays in a stack, for arrays of so many elements."""


@wiring
def stacked(
    inner: GradientTransformation,
    *,
    most: Count = 16,
    elements: Count = 2**18,
    labels: Structure = None,
) -> TreeRule:
    """Update alike arrays together, so that a step on many small ones has few kernels.

    Arrays of one shape and dtype are put into stacks, and each rule for one array is mapped over a
    stack. So every method makes the updates that it makes without: rules for the whole tree, such
    as a global norm, see the tree as it is, and what a rule does with the axes of an array it does
    with those of each array in a stack. Leaves with different values by path, such as a mask or a
    path that is read, are not alike; different numbers are stacked as well.

    The state keeps the moments of a stack as one array with one more axis. It is called as its
    first leaf is; :func:`unstacked` gives the state of ``inner`` itself.

    When to use:
        For hundreds of arrays of a few thousand elements, where a step is bound by the launches of
        its kernels, and its compilation by their number. Large arrays gain nothing.

    Args:
        inner: any method.
        most: the most arrays in a stack.
        elements: the most elements in a stack of several arrays; this bounds the memory, since the
            gradients of a stack are copied.
        labels: written like labels of :func:`partition`, with any hashable value. Leaves with
            different labels are not put into one stack. Arrays that lie differently over devices
            need different ones.

    Raises:
        ValueError: if ``most`` or ``elements`` is not positive, or if arrays that lie differently
            over devices would come into one stack.

    >>> import jax.numpy as jnp
    >>> from gdlab import sgd, stacked
    >>> params = {"first": jnp.zeros(2), "second": jnp.zeros(2), "third": jnp.zeros(3)}
    >>> tx = stacked(sgd(0.1, momentum=0.9))
    >>> updates, state = tx.update(params, tx.init(params))
    >>> {name: stack.shape for name, stack in state.trace.by_name().items()}
    {'first': (2, 2), 'third': (1, 3)}
    """
    rule = as_tree_rule(cast(Part, inner))
    apart = cast(ByLeaf, labels)

    def init(params):
        if "flax.serialization" in sys.modules:
            make_stacks_known_to_flax()
        try:  # labels that do not fit are refused, whether or not anything is kept
            apart.at_leaves(params)
        except (TypeError, ValueError) as error:
            raise type(error)(f"stacked: labels: {error}") from None
        with recording_slots(apart.at_leaves):
            values = rule.init(params)
        return _in_stacks(values, lambda size: min(most, elements // max(size, 1)))

    return rule._replace(init=init)


def _in_stacks(values: Tree, longest: StackLength) -> Tree:
    """A state whose slots have been recorded leaf by leaf, with those of alike leaves in stacks."""
    is_recorded = lambda node: isinstance(node, SlotsByLeaf)  # noqa: E731
    rules: dict[int, list[SlotsByLeaf]] = {}
    for node in jax.tree.leaves(values, is_leaf=is_recorded):
        if is_recorded(node):
            rules.setdefault(node.rule, []).append(node)
    layouts = {rule: _layout(columns, longest) for rule, columns in rules.items()}

    def joined(node: Tree) -> Tree:
        if not is_recorded(node):
            return node
        layout = layouts[node.rule]
        return Stacks(layout, ()).like(layout.treedef.unflatten(node.slots))

    return jax.tree.map(joined, values, is_leaf=is_recorded)


def _layout(columns: list[SlotsByLeaf], longest: StackLength) -> Layout:
    """The stacks of leaves of one kind for which the same is kept."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    first = columns[0]
    rows = zip(*(column.slots for column in columns), strict=True)
    for index, (kind, row) in enumerate(zip(first.kinds, rows, strict=True)):
        if kind is not None:
            alike.setdefault((kind, *map(_type_of, row)), []).append(index)
    stacks = []
    for (((shape, *_), _), *_), members in alike.items():
        most = max(longest(math.prod(shape)), 1)
        # Of nearly one length, so that few lengths are compiled.
        count = math.ceil(len(members) / most)
        ends = [len(members) * part // count for part in range(count + 1)]
        stacks += [tuple(members[start:end]) for start, end in pairwise(ends)]
    return Layout(first.treedef, tuple(sorted(stacks)))


def _type_of(slot: Tree) -> Hashable:
    """The structure of a slot, and the types of its arrays."""
    leaves, treedef = jax.tree.flatten(slot)
    return treedef, tuple((leaf.shape, leaf.dtype) for leaf in leaves)

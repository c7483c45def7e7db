"""Stacks of parameters of the same shape, updated together."""

import math
import sys
from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import Any, TypeAlias, cast

import jax

from gdlab.checks.kinds import Count
from gdlab.checks.located import located
from gdlab.core.by_leaf import ByLeaf, Structure
from gdlab.core.dispatch import as_tree_rule
from gdlab.core.rules import Part, TreeRule
from gdlab.core.slots_by_leaf import SlotsByLeaf, recording_slots
from gdlab.core.stacks import Layout, Stacks, make_stacks_known_to_flax
from gdlab.core.structure import Tree
from gdlab.core.transformation import GradientTransformation, wiring

StackLength: TypeAlias = Callable[[int], int]
"""A function: number of elements of an array → largest number of such arrays in a stack."""


@wiring
def stacked(
    inner: GradientTransformation,
    *,
    most: Count = 16,
    elements: Count = 2**18,
    labels: Structure = None,
) -> TreeRule:
    """Update arrays of the same shape together, so that a step on many small ones has few kernels.

    Arrays of the same shape and dtype are put into stacks, and each rule for one array is mapped
    over a stack. The updates of every method stay the same: rules for the whole tree, such as a
    global norm, are given the original tree, and axes of an array are those of each array in a
    stack. Leaves with different structural settings, such as masks or paths that a rule reads, go
    into different stacks; different numbers are stacked too.

    The state keeps the moments of a stack as one array with one more axis, under the name of its
    first leaf; :func:`unstacked` returns the state of ``inner`` itself.

    When to use:
        For hundreds of arrays of a few thousand elements, where kernel launches dominate the time
        of a step, and the number of kernels that of compilation. Large arrays gain nothing.

    Args:
        inner: any method.
        most: the largest number of arrays in a stack.
        elements: the largest number of elements in a stack of several arrays, which bounds the
            memory, since the gradients of a stack are copied.
        labels: labels as in :func:`partition`, of any hashable type. Leaves with different labels
            go into different stacks. Arrays with different shardings need different labels.

    Raises:
        ValueError: if ``most`` or ``elements`` is not positive, or if arrays with different
            shardings would go into one stack.

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
        try:  # wrong labels are refused even if the method keeps no state
            apart.at_leaves(params)
        except (TypeError, ValueError) as error:
            raise located(error, "stacked: labels") from None
        with recording_slots(apart.at_leaves):
            values = rule.init(params)
        return _in_stacks(values, lambda size: min(most, elements // max(size, 1)))

    return rule._replace(init=init)


def _in_stacks(values: Tree, longest: StackLength) -> Tree:
    """A state recorded leaf by leaf, with the slots of similar leaves in stacks."""
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
    """The stacks of leaves whose slots have the same structure."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    first = columns[0]
    rows = zip(*(column.slots for column in columns), strict=True)
    for index, (kind, row) in enumerate(zip(first.kinds, rows, strict=True)):
        if kind is not None:
            alike.setdefault((kind, *map(_type_of, row)), []).append(index)
    stacks = []
    for (((shape, *_), _), *_), members in alike.items():
        most = max(longest(math.prod(shape)), 1)
        # Stacks of nearly equal length, so that few lengths are compiled.
        count = math.ceil(len(members) / most)
        ends = [len(members) * part // count for part in range(count + 1)]
        stacks += [tuple(members[start:end]) for start, end in pairwise(ends)]
    return Layout(first.treedef, tuple(sorted(stacks)))


def _type_of(slot: Tree) -> Hashable:
    """The structure of a slot, and the types of its arrays."""
    leaves, treedef = jax.tree.flatten(slot)
    return treedef, tuple((leaf.shape, leaf.dtype) for leaf in leaves)

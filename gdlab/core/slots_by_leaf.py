"""The slots of a rule leaf by leaf, recorded while a state with stacks is initialised.

The stacks are built once the state is complete, since only then the storage form of each slot is
known.
"""

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax

from gdlab.core.structure import Leaf, Params, Tree, TreeDef, flatten, leaves_with_paths

_thread = threading.local()


@contextmanager
def recording_slots(labels: Callable[[Params], list[Leaf]]) -> Iterator[None]:
    """A context in which rules for one array record their slots leaf by leaf.

    Args:
        labels: the label of each leaf of a tree; leaves with different labels are not stacked
            together.
    """
    outer, _thread.rules = getattr(_thread, "rules", None), _Rules(labels)
    try:
        yield
    finally:
        _thread.rules = outer


class _Rules:
    """The rules that have initialised their slots in this context."""

    def __init__(self, labels: Callable[[Params], list[Leaf]]):
        self.labels = labels
        self.count = 0


@jax.tree_util.register_pytree_with_keys_class
class SlotsByLeaf:
    """One slot of a rule for each leaf of a tree, before slots of the same kind are stacked."""

    __slots__ = ("kinds", "rule", "slots", "treedef")

    def __init__(self, rule: int, treedef: TreeDef, kinds: tuple[Hashable, ...], slots: list[Tree]):
        self.rule: int = rule
        """The index of the rule; all slots of a rule get the same stacks."""
        self.treedef: TreeDef = treedef
        self.kinds: tuple[Hashable, ...] = kinds
        """The properties in which the leaves of a stack agree; None for a leaf without array."""
        self.slots: list[Tree] = slots

    def tree_flatten_with_keys(self) -> tuple[list[tuple[object, Tree]], tuple[object, ...]]:
        """The slots, under the dotted paths of their leaves."""
        tree = self.treedef.unflatten(range(self.treedef.num_leaves))
        keys = [jax.tree_util.DictKey(path) for path, _ in leaves_with_paths(tree)]
        aux = (self.rule, self.treedef, self.kinds)
        return list(zip(keys, self.slots, strict=True)), aux

    @classmethod
    def tree_unflatten(cls, aux: tuple[Any, ...], slots: list[Tree]) -> "SlotsByLeaf":
        """The same kind of slots with other values."""
        rule, treedef, kinds = aux
        return cls(rule, treedef, kinds, list(slots))


def is_recording_slots() -> bool:
    """Tell whether rules are to record their slots leaf by leaf."""
    return getattr(_thread, "rules", None) is not None


def recorded_slots(
    columns: Sequence[Tree], params: Params, kinds: Sequence[Hashable | None]
) -> list[SlotsByLeaf]:
    """The slots of a rule, leaf by leaf.

    Args:
        columns: the slots, each a tree like ``params``.
        params: the tree that the rule received.
        kinds: the properties that leaves in one stack must share, None where there is no array.
    """
    rules = _thread.rules
    rules.count += 1
    leaves, treedef = flatten(params)
    labels = rules.labels(params) or [None] * len(leaves)
    of_leaves = tuple(
        None if kind is None else (kind, label) for kind, label in zip(kinds, labels, strict=True)
    )
    return [
        SlotsByLeaf(rules.count, treedef, of_leaves, treedef.flatten_up_to(column))
        for column in columns
    ]

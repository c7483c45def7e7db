"""Trees with slots in place of axes, to be filled with the values at a point."""

import dataclasses
from typing import Any

import jax

from gdlab.core.axis import is_axis


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class AxisSlot:
    """A placeholder for the value of an axis, so that values and length are not compiled in."""

    name: str


def with_slots(tree: Any) -> Any:
    """The tree with a slot in place of each axis."""
    return jax.tree.map(lambda n: AxisSlot(n.name) if is_axis(n) else n, tree, is_leaf=is_axis)


def at_point(tree: Any, point: dict[str, Any]) -> Any:
    """The tree with each slot filled by its value at one point."""
    return jax.tree.map(lambda n: point[n.name] if _is_slot(n) else n, tree, is_leaf=_is_slot)


def slot_names(tree: Any) -> set[str]:
    """The names of the slots in a tree."""
    return {node.name for node in jax.tree.leaves(tree, is_leaf=_is_slot) if _is_slot(node)}


def _is_slot(node: Any) -> bool:
    return isinstance(node, AxisSlot)

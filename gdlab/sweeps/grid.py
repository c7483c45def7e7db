"""The product of the axes that stand in an optimizer, laid out as lanes.

Axes of the same name move together; axes of different names multiply, the first one slowest.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.axis import Axis, is_axis
from gdlab.core.structure import dotted

RESERVED = ("optimizer", "seed", "step")


def coordinates(tree: Any) -> dict[str, np.ndarray]:
    """Name → values of the axes in ``tree``, in the order in which they stand there.

    Raises:
        ValueError: if axes of one name have different values, or the name is not free.
    """
    found: dict[str, np.ndarray] = {}
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_axis)
    for path, axis in pairs:
        if not is_axis(axis):
            continue
        if axis.name in RESERVED:
            raise ValueError(
                f"{dotted(path)}: every sweep has a dimension {axis.name!r} of its own"
            )
        values = np.asarray(axis.values)
        if not np.array_equal(found.setdefault(axis.name, values), values):
            raise ValueError(
                f"{dotted(path)}: another axis is named {axis.name!r} and has other values; axes "
                "of one name move together"
            )
    return found


def points(tree: Any) -> tuple[dict[str, jax.Array], int]:
    """The value of each axis at each point of the grid, of shape ``(size,)``, and that size."""
    axes = {axis.name: axis.values for axis in _axes(tree)}
    mesh = jnp.meshgrid(*axes.values(), indexing="ij")
    flat = {name: values.reshape(-1) for name, values in zip(axes, mesh, strict=True)}
    return flat, math.prod(len(values) for values in axes.values())


def at_point(tree: Any, point: dict[str, Any]) -> Any:
    """The tree with each axis replaced by its value at one point."""
    return jax.tree.map(
        lambda node: point[node.name] if is_axis(node) else node, tree, is_leaf=is_axis
    )


def _axes(tree: Any) -> list[Axis]:
    return [node for node in jax.tree.leaves(tree, is_leaf=is_axis) if is_axis(node)]

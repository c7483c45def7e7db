"""The grid of all axes in a tree, as a list of points.

Axes along one dimension move together; dimensions multiply, the first one slowest.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.axes.naming import DIMENSIONS, FIELDS
from gdlab.core.axis import SAMPLE, Axis, ChoiceAxis, is_axis
from gdlab.core.structure import dotted

RESERVED = (*DIMENSIONS, *FIELDS)
Points = dict[str, np.ndarray]


class Grid(NamedTuple):
    """The points of a sweep."""

    sizes: dict[str, int]
    """The length of each dimension."""
    axes: dict[str, Axis]
    """The axes by name."""

    @property
    def size(self) -> int:
        """The number of points."""
        return math.prod(self.sizes.values())

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """The values along each dimension and of each axis, by name."""
        own = {name: axis.labels for name, axis in self.axes.items()}
        return {name: own.get(name, np.arange(size)) for name, size in self.sizes.items()} | own

    @property
    def points(self) -> Points:
        """The value of each axis at each point, of shape ``(size,)``."""
        indices = np.indices(tuple(self.sizes.values())).reshape(len(self.sizes), self.size)
        position = dict(zip(self.sizes, indices, strict=True))
        return {
            name: np.asarray(axis.values)[position[axis.along]] for name, axis in self.axes.items()
        }


def grid_of(tree: Any) -> Grid:
    """The grid of all axes in ``tree``, in their order there.

    Raises:
        ValueError: if axes of the same name differ, axes along one dimension have different
            lengths, a name is reserved, or an axis changes the program.
    """
    found = axes_with_paths(tree)
    for path, axis in found:
        if isinstance(axis, ChoiceAxis):
            raise ValueError(
                f"{path}: each choice of {axis!r} is a program of its own, but here one program is "
                "made for all points: give one of the choices, or use gdlab.sweep"
            )
    return product_of(found)


def product_of(found: list[tuple[str, Axis]]) -> Grid:
    """The grid of axes, given with their paths, in their order.

    Raises:
        ValueError: if axes of the same name differ, axes along one dimension have different
            lengths, or a name is reserved.
    """
    sizes: dict[str, int] = {}
    axes: dict[str, Axis] = {}
    for path, axis in found:
        # An axis may lie along ``sample``, but no axis may be named ``sample``.
        for name, free in ((axis.name, None), (axis.along, SAMPLE)):
            if name in RESERVED and name != free:
                kind = "dimension" if name in DIMENSIONS else "field"
                raise ValueError(f"{path}: every sweep has a {kind} {name!r} of its own")
        known = axes.setdefault(axis.name, axis)
        if known.along != axis.along or not np.array_equal(known.labels, axis.labels):
            raise ValueError(
                f"{path}: another axis is named {axis.name!r} and has other values ({len(known)} "
                f"of them against {len(axis)}); axes of one name move together"
            )
        if sizes.setdefault(axis.along, len(axis)) != len(axis):
            raise ValueError(
                f"{path}: axis {axis.name!r} has {len(axis)} values, but the dimension "
                f"{axis.along!r} along which it lies has {sizes[axis.along]}"
            )
    return Grid(sizes, axes)


def axes_with_paths(tree: Any) -> list[tuple[str, Axis]]:
    """All axes in a tree, with their dotted paths."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_axis)
    return [(dotted(path), node) for path, node in pairs if is_axis(node)]


def replace_axes(function: Callable[[Axis], Any], tree: Any) -> Any:
    """The tree with ``function(axis)`` in place of each axis; outermost names keep their order."""
    if isinstance(tree, Mapping):
        return {name: replace_axes(function, part) for name, part in tree.items()}
    return jax.tree.map(
        lambda node: function(node) if is_axis(node) else node, tree, is_leaf=is_axis
    )

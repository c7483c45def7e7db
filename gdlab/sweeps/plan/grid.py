"""The product of the axes that stand in a tree, laid out as points.

Axes along one dimension move together; dimensions multiply, the first one slowest.
"""

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from gdlab.core.axis import SAMPLE, Axis, SampledAxis, is_axis
from gdlab.core.structure import dotted
from gdlab.sweeps.plan.naming import DIMENSIONS, FIELDS

RESERVED = (*DIMENSIONS, *FIELDS)
Points = dict[str, np.ndarray]
Sampling = Literal["sobol", "random"]


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Slot:
    """Where an axis stood, for its value at a point; its values and length are not compiled in."""

    name: str


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
        """The values along each dimension, and those of axes along one of another name."""
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
    """The grid of all axes in ``tree``, in the order in which they stand there.

    Raises:
        ValueError: if axes of one name differ, those along one dimension have different lengths,
            a name is not free, or an axis is still to be drawn.
    """
    sizes: dict[str, int] = {}
    axes: dict[str, Axis] = {}
    for path, axis in axes_with_paths(tree):
        # Values may lie along the samples; no other values are what samples are called by.
        for name, free in ((axis.name, None), (axis.along, SAMPLE)):
            if name in RESERVED and name != free:
                kind = "dimension" if name in DIMENSIONS else "field"
                raise ValueError(f"{path}: every sweep has a {kind} {name!r} of its own")
        known = axes.setdefault(axis.name, axis)
        if known.along != axis.along or not np.array_equal(known.values, axis.values):
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


def drawn(tree: Any, samples: int | None, sampling: Sampling, seed: Sequence[int]) -> Any:
    """The tree with each sampled axis replaced by one of ``samples`` values, drawn jointly.

    Raises:
        ValueError: if there are sampled axes and ``samples`` is not a positive number.
    """
    found = _sampled(tree)
    if not found:
        return tree
    if samples is None or samples < 1:
        raise ValueError(
            f"axis {next(iter(found))!r} is sampled: say how often, such as samples=64, "
            f"not samples={samples}"
        )
    quantiles = dict(zip(found, _quantiles(samples, len(found), sampling, seed).T, strict=True))

    def draw(node: Any) -> Any:
        is_drawn = isinstance(node, SampledAxis)
        return node.at_quantiles(quantiles[node.name]) if is_drawn else node

    return jax.tree.map(draw, tree, is_leaf=is_axis)


def require_sampled(tree: Any, samples: int | None) -> None:
    """Refuse a number of samples of which there are none to draw.

    Raises:
        ValueError: if ``samples`` is given and no axis is sampled.
    """
    if samples is not None and not _sampled(tree):
        raise ValueError(f"samples={samples} is given, but no axis is sampled")


def _sampled(tree: Any) -> dict[str, SampledAxis]:
    return {a.name: a for _, a in axes_with_paths(tree) if isinstance(a, SampledAxis)}


def slots(tree: Any) -> Any:
    """The tree with a slot in place of each axis."""
    return jax.tree.map(lambda n: Slot(n.name) if is_axis(n) else n, tree, is_leaf=is_axis)


def at_point(tree: Any, point: dict[str, Any]) -> Any:
    """The tree with each slot filled by its value at one point."""
    return jax.tree.map(lambda n: point[n.name] if _is_slot(n) else n, tree, is_leaf=_is_slot)


def slot_names(tree: Any) -> set[str]:
    """The names of the slots in a tree."""
    return {node.name for node in jax.tree.leaves(tree, is_leaf=_is_slot) if _is_slot(node)}


def axes_with_paths(tree: Any) -> list[tuple[str, Axis]]:
    """Dotted path and axis of all axes in a tree."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_axis)
    return [(dotted(path), node) for path, node in pairs if is_axis(node)]


def _is_slot(node: Any) -> bool:
    return isinstance(node, Slot)


def _quantiles(
    samples: int, dimensions: int, sampling: Sampling, seed: Sequence[int]
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if sampling == "random":
        return rng.random((samples, dimensions))
    if sampling != "sobol":
        raise ValueError(f"sampling must be 'sobol' or 'random', not {sampling!r}")
    from scipy.stats import qmc

    with warnings.catch_warnings():
        # Any number of points is welcome; powers of two are only the most even.
        warnings.simplefilter("ignore", UserWarning)
        return qmc.Sobol(dimensions, rng=rng).random(samples)

"""The axes of a sweep as the sides of the unit cube, in which points are chosen."""

from typing import Any, NamedTuple

import numpy as np

from gdlab.axes.grid import Points, axes_with_paths
from gdlab.core.axis import SAMPLE, Axis, SampledAxis

DECADE = 10.0
"""Positive values whose largest exceeds the smallest by this factor are spaced logarithmically."""


class Side(NamedTuple):
    """An axis as the interval [0, 1]."""

    low: float
    high: float
    logarithmic: bool
    levels: np.ndarray | None
    """The values that can be tried, unscaled; None for all between the bounds."""

    @classmethod
    def of(cls, axis: Axis) -> "Side":
        """The side for an axis; an axis with a list of values allows only these."""
        values = np.asarray(axis.values, np.float64)
        low, high = float(values.min()), float(values.max())
        if isinstance(axis, SampledAxis):
            return cls(low, high, axis.distribution == "log_uniform", None)
        return cls(low, high, low > 0 and high >= DECADE * low, axis.labels)

    def quantiles(self, values: np.ndarray) -> np.ndarray:
        """The positions of values in [0, 1]."""
        if self.high == self.low:
            return np.zeros(np.shape(values))
        if self.logarithmic:
            return np.log(values / self.low) / np.log(self.high / self.low)
        return (values - self.low) / (self.high - self.low)

    def values(self, quantiles: np.ndarray) -> np.ndarray:
        """The values at positions in [0, 1], rounded to the nearest levels if there are levels."""
        if self.levels is not None:
            apart = np.abs(quantiles[:, None] - self.quantiles(self.levels))
            return self.levels[np.argmin(apart, axis=1)]
        if self.logarithmic:
            return self.low * (self.high / self.low) ** quantiles
        return self.low + (self.high - self.low) * quantiles


class Space(NamedTuple):
    """The unit cube with a side for each axis, by name."""

    sides: dict[str, Side]

    @classmethod
    def of(cls, tree: Any) -> "Space":
        """The space of all axes in a tree.

        Raises:
            ValueError: if there are none, or axes of one name or one dimension that differ.
        """
        found: dict[str, Axis] = {}
        for path, axis in axes_with_paths(tree):
            if axis.along not in (axis.name, SAMPLE):
                raise ValueError(
                    f"{path}: axis {axis.name!r} lies along {axis.along!r}, so that its values are "
                    "paired with those of another; points are chosen on each axis by itself"
                )
            if repr(found.setdefault(axis.name, axis)) != repr(axis):
                raise ValueError(
                    f"{path}: {axis} and {found[axis.name]} have one name, so they move together "
                    "and must be alike"
                )
        if not found:
            raise ValueError(
                "there is nothing to choose: put an Axis in place of a hyperparameter, such as "
                "Axis.log_uniform('learning_rate', 1e-4, 1.0)"
            )
        return cls({name: Side.of(axis) for name, axis in found.items()})

    @property
    def levels(self) -> np.ndarray:
        """The positions of the levels of each side, of shape ``(sides, most)``.

        The rows are padded with infinities; a row of nothing else allows all values.
        """
        sides = self.sides.values()
        most = max(1 if side.levels is None else len(side.levels) for side in sides)
        levels = np.full((len(self.sides), most), np.inf)
        for row, side in zip(levels, sides, strict=True):
            if side.levels is not None:
                row[: len(side.levels)] = side.quantiles(side.levels)
        return levels

    def quantiles(self, points: Points) -> np.ndarray:
        """Points as positions in the cube, of shape ``(n, sides)``."""
        columns = [side.quantiles(points[name]) for name, side in self.sides.items()]
        return np.stack(columns, axis=1)

    def points(self, quantiles: np.ndarray) -> Points:
        """The values of each axis at positions in the cube of shape ``(n, sides)``."""
        pairs = zip(self.sides.items(), quantiles.T, strict=True)
        return {name: side.values(column) for (name, side), column in pairs}

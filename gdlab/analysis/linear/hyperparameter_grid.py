"""The grid that the axes in an optimizer span, and the optimizer's matrices at its points."""

from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.analysis.linear.precision import float64_on_cpu
from gdlab.analysis.linear.setting import matrices_at, periodic_setting, require_same_period
from gdlab.axes.grid import axes_with_paths, grid_of
from gdlab.core.axis import SampledAxis, is_axis
from gdlab.core.representation import as_written
from gdlab.core.transformation import GradientTransformation


class HyperparameterGrid(NamedTuple):
    """All points of a grid, one after another."""

    sizes: dict[str, int]
    """The length of each dimension."""
    coords: dict[str, np.ndarray]
    """The values along each dimension and of each axis, by name."""
    matrices: np.ndarray
    """The matrix of each mode at each point over one period, of shape (points, modes, d, d)."""
    period: int
    """The number of steps in a period."""


def hyperparameter_grid(
    tx: GradientTransformation, curvature: np.ndarray, gradient_rms: Any
) -> HyperparameterGrid:
    """Linearise ``tx`` at every point of the grid that its axes span.

    Raises:
        ValueError: if an axis is sampled and has no values, or ``tx`` cannot be linearised.
    """
    found = axes_with_paths(tx)
    for path, axis in found:
        if isinstance(axis, SampledAxis):
            raise ValueError(f"{path}: a picture is drawn over a grid; give {axis!r} its values")
    grid = grid_of(tx)
    points = grid.points
    values = np.stack([as_written(points[axis.name]) for _, axis in found], axis=1)
    first = jax.tree.map(lambda x: float(x.labels[0]) if is_axis(x) else x, tx, is_leaf=is_axis)
    with float64_on_cpu():
        setting = periodic_setting(first, curvature, gradient_rms=gradient_rms)
        names = tuple(path for path, _ in found)
        require_same_period(setting, names, values)
        matrices = matrices_at(setting, names, values)
    coords = {name: np.asarray(along, np.float64) for name, along in grid.coords.items()}
    return HyperparameterGrid(grid.sizes, coords, matrices, setting.period.length)

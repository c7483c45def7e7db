"""A function of two variables on a grid that covers a picture."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.colors import FuncNorm, Normalize

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_numbers, real_numbers, shortened

Bounds = tuple[tuple[float, float], tuple[float, float]]

GRID_POINTS = 241
"""The number of grid points along each side."""
LEVELS = 16
AREA_BELOW_LEVELS = 0.002
"""The share of the grid below the lowest level, unless that violates the level's bounds."""
SURFACE_AREA_BELOW_LEVELS = 0.05
"""The share of the grid below the lowest level of a surface in three dimensions."""
MAX_LOWEST_LEVEL = 0.01
"""The upper bound of the lowest level, as a fraction of the range of heights."""
MIN_LOWEST_LEVEL = 1e-9
"""The lower bound of the lowest level, as a fraction of the range of heights."""


@dataclasses.dataclass(frozen=True, eq=False)
class Terrain:
    """The values of a function on a grid, and the levels that show its valleys."""

    function: Callable[..., Any]
    bounds: Bounds
    """The region of the picture: ((left, right), (bottom, top))."""
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    """The values, of shape ``(y, x)``."""
    floor: float
    """The minimum if it is known and finite, otherwise the smallest value on the grid."""
    minimum: float | None
    """The minimum of the function; −∞ if there is none, None if it is not known."""
    levels: np.ndarray
    """The contour levels: spaced evenly without a minimum, else by equal factors of the height."""

    def at(self, path: np.ndarray) -> np.ndarray:
        """The values along a path."""
        return np.asarray(jax.vmap(self.function)(jnp.asarray(path)), float)

    def inside(self, path: np.ndarray) -> np.ndarray:
        """Return a mask of the points of a path, of shape ``(…, 2)``, that are in the picture."""
        low, high = np.transpose(self.bounds)
        return np.all((path >= low) & (path <= high), axis=-1)

    @property
    def bottomless(self) -> bool:
        """Tell whether the function is unbounded below, so that no height has a reference."""
        return self.minimum == -np.inf

    def steps_inside(self, path: np.ndarray) -> int:
        """Count the points of a path that are in the picture."""
        return int(np.count_nonzero(self.inside(path)))

    def flattened(self) -> "Terrain":
        """Return the terrain with a higher lowest level, as a surface needs it.

        A surface interpolates between grid points. With the levels of a contour plot each grid
        point close to the minimum would become a spike in the floor of a valley.
        """
        return dataclasses.replace(
            self, levels=_levels(self.z, self.floor, self.bottomless, SURFACE_AREA_BELOW_LEVELS)
        )

    @property
    def norm(self) -> Normalize:
        """The scale on which the levels are evenly spaced."""
        ends = float(self.floor), float(self.levels[-1])
        if self.bottomless:
            return Normalize(*ends)
        unit = self.levels[0] - self.floor

        def forward(z: Any) -> Any:
            return np.log1p(np.maximum(np.asarray(z) - self.floor, 0) / unit)

        def inverse(height: Any) -> Any:
            return self.floor + unit * np.expm1(height)

        return FuncNorm((forward, inverse), *ends)


def knows_bounds(function: Callable[..., Any], bounds: Any) -> bool:
    """Tell whether bounds are given, or the function knows its own."""
    return bounds is not None or getattr(function, "bounds", None) is not None


def terrain_of(function: Callable[..., Any], bounds: Any = None) -> Terrain:
    """The values of a function of two variables over the region of a picture.

    Args:
        function: a :class:`gdlab.problems.Problem`, or any function of an array of shape ``(2,)``.
        bounds: ((left, right), (bottom, top)); by default those of the problem.

    Raises:
        ValueError: if the function does not have two variables, there are no bounds or they do not
            rise, or the function is finite nowhere.
    """
    shape = np.shape(getattr(function, "start", np.zeros(2)))
    if shape != (2,):
        raise ValueError(
            f"only a function of two variables can be drawn, but the parameters of "
            f"{getattr(function, 'name', 'the problem')} have the shape {shape}"
        )
    bounds = getattr(function, "bounds", None) if bounds is None else bounds
    if bounds is None:
        raise ValueError(
            f"{getattr(function, 'name', 'the function')} does not know of what part of a plane "
            "to make a picture: give bounds=((left, right), (bottom, top))"
        )
    sides = real_numbers("bounds", bounds, finite=False)
    if sides.shape != (2, 2) or not np.all(sides[:, 0] < sides[:, 1]):
        raise ValueError(f"bounds must be ((left, right), (bottom, top)), rising, not {bounds}")
    x, y = (np.linspace(low, high, GRID_POINTS) for low, high in sides)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    at_each = jax.vmap(functools.partial(_value, function))
    heights = at_each(jnp.asarray(points))
    if np.shape(heights) != points.shape[:1]:
        came = f"an array of shape {heights.shape[1:]}" if hasattr(heights, "shape") else heights
        raise ValueError(f"problem: the function must return a number at each point, not {came}")
    z = np.asarray(heights, float)
    z = z.reshape(GRID_POINTS, GRID_POINTS)
    z = np.where(np.isfinite(z), z, np.nan)
    if np.isnan(z).all():
        raise ValueError(f"the function is finite nowhere within {bounds}")
    minimum = getattr(function, "minimum", None)
    bottomless = minimum == -np.inf
    floor = float(np.nanmin(z) if bottomless or minimum is None else minimum)
    (left, right), (bottom, top) = sides.tolist()
    return Terrain(
        function=function,
        bounds=((left, right), (bottom, top)),
        x=x,
        y=y,
        z=z,
        floor=floor,
        minimum=minimum,
        levels=_levels(z, floor, bottomless),
    )


def _levels(
    z: np.ndarray, floor: float, bottomless: bool, lowest_part: float = AREA_BELOW_LEVELS
) -> np.ndarray:
    top = float(np.nanmax(z))
    if top <= floor:
        return floor + np.array([1.0, 2.0])  # for a constant function
    if bottomless:
        return np.linspace(floor, top, LEVELS + 2)[1:]
    height = top - floor
    low = np.nanquantile(z, lowest_part) - floor
    return floor + np.geomspace(
        np.clip(low, MIN_LOWEST_LEVEL * height, MAX_LOWEST_LEVEL * height), height, LEVELS
    )


def _value(function: Callable[..., Any], point: jax.Array) -> Any:
    value = called_as("problem(params)", function, point)
    if not is_array_of_numbers(value):
        raise TypeError(f"problem must return a number at each point, not {shortened(value)}")
    return value

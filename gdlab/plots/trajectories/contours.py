"""Runs on the contours of a function of two variables, or on its surface."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gdlab.analysis.landscapes.window import window_of_runs
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.plots.arguments import runs_by_name
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import COLORMAP, label, legend_name, line_style
from gdlab.plots.trajectories.terrain import Terrain, knows_bounds, terrain_of

GROUND = ListedColormap(plt.get_cmap("Greys")(np.linspace(0.0, 0.42, 256)))
"""White in the valleys, so that paths stand out from it."""
LONG_NAME = 16
"""The largest number of characters of names that fit side by side in a legend."""
MAX_DISTANCE = 100.0
"""The largest distance from the centre that is drawn, in widths of the picture."""
CRITICAL_POINTS = {
    "minimisers": ("*", "#F0E442", 13, "minimum"),
    "local_minimisers": ("*", "white", 9, "local minimum"),
    "saddles": ("X", "white", 8, "saddle"),
    "maximisers": ("^", "white", 8, "maximum"),
}
"""The attribute of a problem with its critical points → their marker, colour, size and name."""


@dataclasses.dataclass(frozen=True, eq=False)
class Drawing:
    """The axes of a picture and the lines in it that an animation moves."""

    ax: Any
    paths: dict[str, Line2D]


@checked
def contours(
    problem: Callable[..., Any],
    trajectories: Any = None,
    ax: Ax = None,
    *,
    surface: bool = False,
    bounds: Any = None,
) -> Any:
    """Draw the paths of runs over the contour lines of a function of two variables.

    Contour levels are spaced by equal factors of the height above the minimum, so that they show
    the floor of a valley as well as its walls; if there is no minimum, by equal differences.
    Minima, saddles and maxima that the problem knows are marked.

    Args:
        problem: a :class:`gdlab.problems.Problem` of two parameters, or any function of an array of
            shape ``(2,)``. A random problem is drawn without its noise, as if called without a key.
        trajectories: name → a run of :func:`gdlab.minimize`, or a path of shape ``(steps + 1, 2)``;
            or a single run or path.
        ax: the matplotlib axes to draw on, three-dimensional ones for a surface; new ones unless
            given.
        surface: whether to draw the function as a surface in three dimensions.
        bounds: ((left, right), (bottom, top)); by default those of the problem, or a window around
            the runs, as in :func:`gdlab.explore`.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if a path is not in a plane, there are neither bounds nor paths, or the axes are
            two-dimensional for a surface or three-dimensional for contours.

    >>> from gdlab import minimize, plots, problems, sgd
    >>> valley = problems.long_valley()
    >>> runs = {
    ...     name: minimize(valley, valley.start, tx, steps=60)
    ...     for name, tx in {"plain": sgd(0.015), "momentum": sgd(0.015, momentum=0.9)}.items()
    ... }
    >>> ax = plots.contours(valley, runs)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['plain', 'momentum', 'start', 'minimum']
    """
    paths = paths_of(trajectories)
    known = [path for path in paths.values() if len(path)]
    if known and not knows_bounds(problem, bounds):
        bounds = window_of_runs(known)
    return draw(terrain_of(problem, bounds), paths, ax, surface).ax


def paths_of(trajectories: Any) -> dict[str, np.ndarray]:
    """The paths by name, each cut before its first point that is not finite.

    Raises:
        ValueError: if a path is not in a plane.
    """
    if trajectories is None:
        return {}
    paths = {}
    for name, run in runs_by_name("trajectories", trajectories).items():
        whole = getattr(run, "path", run)
        shape = np.shape(whole) if whole is not None else None
        if shape is None or len(shape) != 2 or shape[1] != 2 or not shape[0]:
            came = "was not kept" if shape is None else f"is of shape {shape}"
            which = f" of {name!r}" if name else ""
            raise ValueError(
                f"trajectories: the path{which} must be of shape (steps + 1, 2), but {came}"
            )
        path = np.asarray(whole, float)
        finite = np.isfinite(path).all(axis=1)
        paths[name] = path if finite.all() else path[: np.argmin(finite)]
    return paths


def draw(
    terrain: Terrain, paths: Mapping[str, np.ndarray], ax: Any = None, surface: bool = False
) -> Drawing:
    """Draw the function, its known critical points, and the paths."""
    if ax is None:
        settings = {"projection": "3d", "computed_zorder": False} if surface else {}
        ax = figure_of((5.6, 4.6)).subplots(subplot_kw=settings)
    if surface != hasattr(ax, "plot_surface"):
        raise ValueError(
            "a surface is drawn on axes with projection='3d'"
            if surface
            else "contours are drawn on axes of two dimensions; surface=True draws on these"
        )
    placed = _on_surface(terrain, ax) if surface else _on_plane(terrain, ax)
    lines = {}
    for number, (name, path) in enumerate(paths.items()):
        # Markers are spaced for the visible part of the path.
        look = line_style(number, terrain.steps_inside(path))
        (lines[name],) = ax.plot(*placed(path), **look, label=legend_name(name) or None, zorder=4)
    starts = np.reshape([path[0] for path in paths.values() if len(path)], (-1, 2))
    starts = starts[terrain.inside(starts)]
    if starts.size:
        ax.plot(
            *placed(starts), "o", color="black", markerfacecolor="white", markersize=7.5,
            markeredgewidth=1.6, label="start", zorder=5, clip_on=surface,
        )  # fmt: skip
    for known, (marker, color, size, name) in CRITICAL_POINTS.items():
        points = np.asarray(getattr(terrain.function, known, ()), float).reshape(-1, 2)
        points = points[terrain.inside(points)]
        if points.size:
            ax.plot(
                *placed(points), marker, color=color, markersize=size, markeredgecolor="black",
                markeredgewidth=0.8, label=name, zorder=6 if marker == "*" else 3, clip_on=surface,
            )  # fmt: skip
    if names := ax.get_legend_handles_labels()[1]:
        columns = 3 if max(map(len, names)) < LONG_NAME else 2
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False,
            borderaxespad=0.3, fontsize="small", columnspacing=1.2, handlelength=2.4,
        )  # fmt: skip
    return Drawing(ax, lines)


def _on_plane(terrain: Terrain, ax: Any) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """Draw contour lines; return the function that maps a path to coordinates in the picture."""
    ax.grid(visible=False)
    setting = {"levels": np.concatenate([[terrain.floor], terrain.levels]), "norm": terrain.norm}
    ax.contourf(terrain.x, terrain.y, terrain.z, cmap=GROUND, **setting)
    ax.contour(
        terrain.x, terrain.y, terrain.z, colors="0.55", linewidths=0.6, linestyles="-",
        levels=terrain.levels,
    )  # fmt: skip
    ax.set(xlim=terrain.bounds[0], ylim=terrain.bounds[1], xlabel="w₁", ylabel="w₂")
    sides = np.asarray(terrain.bounds)
    middle, reach = sides.mean(axis=1), MAX_DISTANCE * np.ptp(sides, axis=1)

    def placed(path: np.ndarray) -> tuple[np.ndarray, ...]:
        near = np.all(np.abs(path - middle) <= reach, axis=-1, keepdims=True)
        return tuple(np.where(near, path, np.nan).T)

    return placed


def _heights(terrain: Terrain) -> tuple[np.ndarray, list[str]]:
    """The ticks of the height of a surface: losses and their labels."""
    low, high = terrain.levels[[0, -1]]
    if terrain.bottomless:
        values = MaxNLocator(5).tick_values(low, high)
        values = values[(values >= low) & (values <= high)]
        return values, [label(value) for value in values]
    first, last = np.log10([low - terrain.floor, high - terrain.floor])
    decades = np.arange(np.ceil(first), np.floor(last) + 1)
    decades = decades[:: max(1, len(decades) // 5)]
    return terrain.floor + 10**decades, [f"$10^{{{int(decade)}}}$" for decade in decades]


def _on_surface(terrain: Terrain, ax: Any) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """Draw the surface; return the function that maps a path to coordinates in the picture."""
    terrain = terrain.flattened()
    norm = terrain.norm
    x, y = np.meshgrid(terrain.x, terrain.y)
    ax.plot_surface(
        x, y, np.asarray(norm(terrain.z)), cmap=COLORMAP, vmin=0, vmax=1.15, rcount=80, ccount=80,
        linewidth=0, alpha=0.75, zorder=1,
    )  # fmt: skip
    ax.locator_params(nbins=5)
    heights, names = _heights(terrain)
    ax.set_zticks(np.asarray(norm(heights)), names)
    ax.set(
        xlim=terrain.bounds[0], ylim=terrain.bounds[1], zlim=(0, 1), xlabel="w₁", ylabel="w₂",
        zlabel="loss" if terrain.bottomless else "loss above its minimum",
    )  # fmt: skip

    def placed(path: np.ndarray) -> tuple[np.ndarray, ...]:
        inside = terrain.inside(path)
        seen = np.where(inside[:, None], path, np.nan)
        height = np.where(inside, np.ma.getdata(norm(terrain.at(path))), np.nan)
        return (*seen.T, height)

    return placed

"""Parallel coordinates: a line for each point of a sweep, through its value on every axis."""

from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from gdlab.core.representation import in_words
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import COLORMAP, DIVERGED, label
from gdlab.plots.sweeps.colors import color_bar, norm_of_scores
from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.results.labelled import lane_labels
from gdlab.sweeps.results.scoring import best_position, scores
from gdlab.sweeps.results.spacing import SPACED, USUAL_DECAYS, spacing

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

UNFINISHED = "0.6"
MIN_TICK_GAP = 0.07
"""The smallest distance between two ticks, as a fraction of the axis."""


class Coordinate(NamedTuple):
    """A vertical axis: the height of each point on it, from 0 to 1, and its ticks."""

    name: str
    heights: np.ndarray
    ticks: list[tuple[float, str]]


def plot_parallel(
    result: "SweepResult",
    metric: str = "final_loss",
    *,
    maximize: bool | None = None,
    ax: Any = None,
    figure: Figure | None = None,
) -> Any:
    """Draw a line for each point, coloured by the median of the metric, with the best on top.

    Args:
        result: the result of :func:`gdlab.sweep`.
        metric: "final_loss", or the name of an evaluation metric.
        maximize: whether more is better, unless the name of the metric tells.
        ax: the matplotlib axes to draw on; new ones unless given.
        figure: the figure for new axes; a new figure unless given.

    Returns:
        The matplotlib axes.
    """
    maximize = is_maximized(metric, maximize)
    coordinates = _coordinates(result)
    if ax is None:
        size = (max(6.4, 1.5 * len(coordinates) + 1.5), 4.2)
        ax = figure_of(size, figure).subplots()
    point_scores = scores(result, metric, maximize=maximize).ravel()
    diverged = np.any(result.status == "diverged", axis=-1).ravel()
    lines = np.stack(
        [
            np.stack([np.full(c.heights.size, i), c.heights], axis=-1)
            for i, c in enumerate(coordinates)
        ],
        axis=1,
    )
    finite = np.isfinite(point_scores)
    _thin(ax, lines[~finite & diverged], DIVERGED, "diverged")
    _thin(ax, lines[~finite & ~diverged], UNFINISHED, "not run to the end")
    norm = norm_of_scores(point_scores, maximize)
    order = np.flatnonzero(finite)
    order = order[np.argsort(point_scores[order] if maximize else -point_scores[order])]
    colors = plt.get_cmap(COLORMAP)(norm(point_scores[order]))
    ax.add_collection(LineCollection(list(lines[order]), colors=colors, linewidths=1.2, alpha=0.8))
    best = best_position(point_scores, maximize)
    if best is not None:
        ax.plot(*lines[best].T, color="white", linewidth=5, zorder=3)
        ax.plot(
            *lines[best].T, color="black", linewidth=2.2, marker="o", markersize=5, zorder=4,
            label=f"best: {in_words(metric)} {label(point_scores[best])}",
        )  # fmt: skip
    _rulers(ax, coordinates)
    if finite.any():
        color_bar(norm, [ax], metric, pad=0.02)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1.07), ncols=3, frameon=False, borderaxespad=0,
        fontsize="small",
    )  # fmt: skip
    return ax


def _coordinates(result: "SweepResult") -> list[Coordinate]:
    """The coordinates of all axes and named dimensions, in the order of the dimensions."""
    labels = lane_labels(result)
    names = [name for name in ("problem", "optimizer") if name in result.dims] + list(result.axes)
    return [_coordinate(name, labels[name][..., 0].ravel()) for name in names]


def _coordinate(name: str, values: np.ndarray) -> Coordinate:
    if values.dtype.kind not in "iuf":
        names, places = np.unique(values, return_inverse=True)
        heights = (np.arange(len(names)) + 0.5) / len(names)
        return Coordinate(name, heights[places], list(zip(heights, names.tolist(), strict=True)))
    low, high = values.min(), values.max()
    if low == high:
        return Coordinate(name, np.full(values.shape, 0.5), [(0.5, label(low))])
    scale = spacing(np.sort(values))
    forward = SPACED[scale][0]

    def height(value: Any) -> Any:
        return (forward(value) - forward(low)) / (forward(high) - forward(low))

    ticks = {
        "linear": MaxNLocator(4).tick_values,
        "log": LogLocator(numticks=6).tick_values,
        "decay": lambda *_: np.array(USUAL_DECAYS),
    }
    inner = [
        (float(height(tick)), label(tick))
        for tick in ticks[scale](low, high)
        if low < tick < high and MIN_TICK_GAP < height(tick) < 1 - MIN_TICK_GAP
    ]
    return Coordinate(name, height(values), [(0.0, label(low)), *inner, (1.0, label(high))])


def _thin(ax: Axes, lines: np.ndarray, color: str, name: str) -> None:
    if len(lines):
        ax.add_collection(LineCollection(list(lines), colors=color, linewidths=0.5, alpha=0.5))
        ax.add_line(Line2D([], [], color=color, linewidth=1, label=name))


def _rulers(ax: Axes, coordinates: list[Coordinate]) -> None:
    """Draw the vertical axes with their ticks, in place of matplotlib's."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for x, coordinate in enumerate(coordinates):
        ax.plot([x, x], [0, 1], color="0.25", linewidth=1, zorder=2)
        for height, text in coordinate.ticks:
            ax.plot([x - 0.02, x], [height, height], color="0.25", linewidth=1, zorder=2)
            ax.text(
                x - 0.035, height, text, ha="right", va="center", fontsize="small", zorder=5,
                bbox=box,
            )  # fmt: skip
    ax.set_xticks(range(len(coordinates)), [in_words(c.name) for c in coordinates])
    ax.tick_params(axis="x", length=0, pad=8)
    ax.set_yticks([])
    ax.set(xlim=(-0.35, len(coordinates) - 0.85), ylim=(-0.05, 1.05))
    ax.spines[:].set_visible(False)

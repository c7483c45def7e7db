"""Heat maps of a metric: a cell of the same size for every pair of values."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patches import Patch

from gdlab.plots.scales import COLORMAP, DIVERGED_TINT, MISSING
from gdlab.plots.sweeps.colors import color_bar
from gdlab.plots.sweeps.lanes import Lanes
from gdlab.sweeps.results.scoring import best_position

MOST_TICKS = 12
"""The largest number of labelled values on an axis."""
LETTER = 0.085
"""The mean width of a character in a tick label, in inches."""

OFF_FROM_ONE = 0.04
"""The largest rounding error of a label, as a fraction of the value's distance from 1."""


class Plane(NamedTuple):
    """The values along the two sides of a heat map."""

    y: np.ndarray
    x: np.ndarray


def draw_heat_map(ax: Axes, plane: Plane, lanes: Lanes, maximize: bool, norm: Normalize) -> None:
    """Draw the scores of all cells, with a colour for divergence and a dot at the best."""
    orders = [np.argsort(v) if is_numeric(v) else np.arange(len(v)) for v in plane]
    scores, diverged = (array[np.ix_(*orders)] for array in (lanes.scores, lanes.diverged))
    y, x = (values[order] for values, order in zip(plane, orders, strict=True))
    finite = np.isfinite(scores)
    ax.set_facecolor(MISSING)
    lost = np.where(~finite & (diverged > 0), 0.0, np.nan)
    look: dict[str, Any] = {"edgecolors": "white", "linewidth": 0.6}
    edges = [np.arange(len(values) + 1) - 0.5 for values in (x, y)]
    ax.pcolormesh(*edges, lost, cmap=ListedColormap([DIVERGED_TINT]), **look)
    ax.pcolormesh(*edges, np.where(finite, scores, np.nan), cmap=COLORMAP, norm=norm, **look)
    best = best_position(scores, maximize)
    if best is not None:
        ax.plot(best[1], best[0], "o", color="white", markeredgecolor="black", markersize=7)
    _write_values(ax.yaxis, y, rotated=False)
    width = ax.get_window_extent().width / ax.figure.dpi
    _write_values(ax.xaxis, x, rotated=not _fit(x, width))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def is_numeric(values: np.ndarray) -> bool:
    """Tell whether values are numbers, which have an order, rather than names of choices."""
    return values.dtype.kind in "iuf"


def _write_values(axis: Axis, values: np.ndarray, *, rotated: bool) -> None:
    """Label the cells with their values, or some of them if there are many."""
    positions = _written(len(values))
    labels = [written(values[position]) for position in positions]
    turn: dict[str, Any] = {"rotation": 90} if rotated else {}
    axis.set_ticks(positions, labels, **turn)


def _written(count: int) -> np.ndarray:
    """The positions of labelled values: all of up to ``MOST_TICKS``, otherwise every n-th."""
    return np.arange(0, count, -(-count // MOST_TICKS))


def _fit(values: np.ndarray, width: float) -> bool:
    """Tell whether the labels of values fit side by side into a width in inches."""
    positions = _written(len(values))
    longest = max(len(written(values[position])) for position in positions)
    return (longest + 1) * LETTER * len(positions) < width


def written(value: Any) -> str:
    """A value in full if it has at most five digits, otherwise rounded to three digits.

    Decays near 1 keep the digits of their distance from 1.
    """
    if isinstance(value, str | bool | np.bool_):
        return str(value)
    number = float(value)
    rounded = float(f"{number:.3g}")
    is_long = not np.isclose(float(f"{number:.5g}"), number, rtol=1e-7, atol=0)
    is_short = is_long and abs(rounded - number) <= OFF_FROM_ONE * abs(1 - number)
    return f"{number:.{3 if is_short else 5}g}".replace("-", "−")


def explain_colors(panels: Sequence[Axes], lanes: Lanes, metric: str, norm: Normalize) -> None:
    """Add a colour bar for all panels, and a legend for cells without a score."""
    figure = panels[0].figure
    finite = np.isfinite(lanes.scores)
    if finite.any():
        below = np.min(lanes.scores[finite]) < norm.vmin
        color_bar(norm, panels, metric, extend="min" if below else "neither")
    found = {
        "diverged": (DIVERGED_TINT, ~finite & (lanes.diverged > 0)),
        "not run to the end": (MISSING, ~finite & (lanes.diverged == 0)),
    }
    patches = [Patch(color=color, label=name) for name, (color, at) in found.items() if at.any()]
    if not patches:
        return
    look: dict[str, Any] = {"ncols": len(patches), "frameon": False, "fontsize": "small"}
    if len(panels) == 1:
        look |= {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        panels[0].legend(handles=patches, **look)
    else:
        figure.legend(handles=patches, loc="outside upper left", **look)

"""The picture of a sweep: where it is stable, and where it is good."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.representation import in_words
from gdlab.plots.figures import figure_of
from gdlab.plots.sweeps.colors import norm_of_scores
from gdlab.plots.sweeps.curve import draw_choices, draw_curve
from gdlab.plots.sweeps.heat_map import Plane, draw_heat_map, explain_colors, is_numeric, written
from gdlab.plots.sweeps.lanes import lanes_of
from gdlab.plots.sweeps.parallel import plot_parallel
from gdlab.sweeps.direction import is_maximized

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

MOST_COLUMNS = 5
MOST_PANELS = 30
MOST_FACETS = 2
"""The largest number of dimensions with panels: one in rows and one in columns."""
NAMES = ("problem", "optimizer")
"""The dimensions whose labels are names, with a panel for each label."""


class Arrangement(NamedTuple):
    """The assignment of a sweep's dimensions to the sides of a picture and to its panels."""

    facets: list[str]
    """The dimensions with a panel for each label."""
    sides: list[str]
    """The axes along the sides: x alone, or y and x."""
    is_sampled: bool
    """A flag: the values along the sides were sampled at random."""


@checked
def plot_sweep(
    result: "SweepResult",
    metric: str = "final_loss",
    *,
    maximize: bool | None = None,
    ax: Ax = None,
    figure: Figure | None = None,
) -> Any:
    """Draw the metric against the axes of a sweep, and mark what diverged.

    One axis makes a curve of the median over seeds with their range, or a scatter plot if it was
    sampled. Two axes make a heat map with a cell of the same size for each pair of values. A third
    and a fourth axis, and several optimizers, problems or choices by name, make a panel for each of
    their values, on the same scales. Several sampled axes, and results with too many panels, make
    parallel coordinates.

    Args:
        result: the result of :func:`gdlab.sweep`.
        metric: "final_loss", or the name of an evaluation metric.
        maximize: whether more is better, unless the name of the metric tells; the best point is
            marked.
        ax: the matplotlib axes to draw on, or an array of them for several panels; new ones
            unless given.
        figure: the figure for new axes; a new figure unless given.

    Returns:
        The matplotlib axes, an array of them for several panels.

    Raises:
        ValueError: if there is no axis to plot against.
    """
    maximize = is_maximized(metric, maximize)
    arrangement = _arrangement(result)
    if arrangement is None:
        return plot_parallel(result, metric, maximize=maximize, ax=ax, figure=figure)
    facets, sides, is_sampled = arrangement
    shape = tuple(len(result.coords[name]) for name in facets)
    if ax is None:
        ax = _new_panels(shape, figure) if facets else figure_of((6.4, 4.2), figure).subplots()
    panels: list[Axes] = list(np.ravel(ax))
    if len(panels) < math.prod(shape):
        raise ValueError(f"ax: {math.prod(shape)} panels need as many axes, not {len(panels)}")

    lanes = lanes_of(result, metric, maximize, [*facets, *(result.axes[name] for name in sides)])
    norm = norm_of_scores(lanes.scores, maximize)
    for panel, index in zip(panels, np.ndindex(shape), strict=False):
        x = result.coords[sides[-1]]
        if len(sides) == 1 and is_numeric(x):
            draw_curve(panel, x, lanes.facet(index), maximize, is_sampled)
        elif len(sides) == 1:
            draw_choices(panel, x, lanes.facet(index), maximize)
        else:
            plane = Plane(*(result.coords[name] for name in sides))
            draw_heat_map(panel, plane, lanes.facet(index), maximize, norm)
        panel.set_title(_title(result, facets, index), fontsize="medium")
    panels = panels[: math.prod(shape)]
    _label(sides if len(sides) == 2 else [metric, *sides], panels, bool(facets))
    if facets:
        _hide(list(np.ravel(ax)), len(panels), np.shape(np.atleast_1d(ax))[-1])
    if len(sides) == 2:
        explain_colors(panels, lanes, metric, norm)
    return ax


def _arrangement(result: "SweepResult") -> Arrangement | None:
    """Choose the axes along the sides and those in panels; ``None`` for parallel coordinates.

    Raises:
        ValueError: if there is no axis.
    """
    # Of several axes along one dimension, only the axis named like the dimension is drawn.
    axes = [
        name for name, along in result.axes.items() if name == along or along not in result.axes
    ]
    if not axes:
        raise ValueError(
            "the sweep has no axis to plot against; its losses are curves over "
            'coords["step"] in result.loss'
        )
    is_sampled = any(name != result.axes[name] for name in axes)
    # Choices by name are sides only if no axis has numbers. The longest axes are the sides, in the
    # order of the dimensions.
    wanted = [name for name in axes if is_numeric(result.coords[name])] or axes
    longest = sorted(wanted, key=lambda name: -len(result.coords[name]))[:2]
    sides = [name for name in wanted if name in longest]
    facets = [name for name in NAMES if name in result.dims]
    facets += [name for name in axes if name not in sides]
    panels = math.prod(len(result.coords[name]) for name in facets)
    if len(facets) > MOST_FACETS or panels > MOST_PANELS or (is_sampled and len(axes) > 1):
        return None
    return Arrangement(facets, sides, is_sampled)


def _title(result: "SweepResult", facets: list[str], index: tuple[int, ...]) -> str:
    """The labels of a panel, numbers with the names of their axes."""
    labels = [result.coords[name][i] for name, i in zip(facets, index, strict=True)]
    return ", ".join(
        str(label) if name in NAMES else f"{in_words(name)} = {written(label)}"
        for name, label in zip(facets, labels, strict=True)
    )


def _new_panels(shape: tuple[int, ...], figure: Figure | None) -> np.ndarray:
    """New panels, one for each label, in rows and columns if there are two dimensions."""
    if len(shape) == 2:
        rows, columns = shape
    else:
        rows = math.ceil(shape[0] / MOST_COLUMNS)
        columns = math.ceil(shape[0] / rows)
    # Losses of different problems are not comparable, those of optimizers on one problem are.
    return figure_of((2.4 * columns + 0.6, 2.2 * rows + 0.5), figure).subplots(
        rows, columns, sharex=True, sharey="row" if len(shape) == 2 else True, squeeze=False
    )


def _hide(panels: list[Axes], count: int, columns: int) -> None:
    """Hide surplus panels, and put their axis labels on the panels above them."""
    for hidden in range(count, len(panels)):
        panels[hidden].set_visible(False)
        panels[hidden - columns].tick_params(labelbottom=True)


def _label(names: list[str], panels: list[Axes], shared: bool) -> None:
    y, x = names
    if shared:
        panels[0].figure.supxlabel(in_words(x))
        panels[0].figure.supylabel(in_words(y))
    else:
        panels[0].set(xlabel=in_words(x), ylabel=in_words(y))

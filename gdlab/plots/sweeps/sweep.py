"""Pictures of a sweep: where it is stable, and where it is good."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gdlab.plots.figures import figure_of
from gdlab.plots.scales import (
    COLORMAP,
    CURVE,
    DIVERGED,
    DIVERGED_TEXT,
    DIVERGED_TINT,
    MISSING,
    cells,
    norm_of,
    set_spacing,
    words,
)
from gdlab.plots.sweeps.parallel import plot_parallel
from gdlab.sweeps.plan.direction import is_maximized
from gdlab.sweeps.results.scoring import best_position, scores
from gdlab.sweeps.results.spacing import SPACED, spacing, spans_decades

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

MOST_COLUMNS = 5
FACETS = ("problem", "optimizer")
"""Dimensions that are a panel for each label, unless the picture has room for them."""


class Lanes(NamedTuple):
    """What is drawn of a metric."""

    values: np.ndarray
    """Of each lane, NaN where it has none."""
    scores: np.ndarray
    """The median over the seeds, ±∞ where too many have none."""
    diverged: np.ndarray
    """The share of the seeds that were run which diverged."""

    def facet(self, index: tuple[int, ...]) -> "Lanes":
        """What belongs to one panel."""
        return Lanes(*(array[index] for array in self))


def plot_sweep(
    result: "SweepResult",
    metric: str = "final_loss",
    *,
    maximize: bool | None = None,
    ax: Any = None,
    figure: Figure | None = None,
) -> Any:
    """The metric against the axes of a sweep, with what diverged marked.

    One axis is a curve, the median over seeds with their range, or a scatter if it was sampled;
    two axes are a heat map; several optimizers or problems are a panel each, on the same scales.
    Anything else is parallel coordinates.

    Args:
        result: what :func:`gdlab.sweep` returned.
        metric: "final_loss", or the name of an evaluation metric.
        maximize: whether more is better, unless the name of the metric tells; the best point is
            marked.
        ax: the matplotlib axes to draw on, or an array of them for several panels; new ones
            unless given.
        figure: where these new ones are made; a new figure unless given.

    Returns:
        The matplotlib axes, an array of them for several panels.

    Raises:
        ValueError: if there is no axis to plot against.
    """
    maximize = is_maximized(metric, maximize)
    # Of axes that move together the one that is their dimension stands for all.
    axes = [
        name for name, along in result.axes.items() if name == along or along not in result.axes
    ]
    sampled = [name for name in axes if name != result.axes[name]]
    if not axes:
        raise ValueError(
            "the sweep has no axis to plot against; its losses are curves over "
            'coords["step"] in result.loss'
        )
    if len(axes) > 2 or (len(axes) == 2 and sampled):
        return plot_parallel(result, metric, maximize=maximize, ax=ax, figure=figure)

    drawn = _drawn(result, metric, maximize)
    facets = [name for name in FACETS if name in result.dims]
    shape = tuple(len(result.coords[name]) for name in facets)
    if facets and ax is None:
        ax = _new_panels(shape, figure)
    elif ax is None:
        ax = figure_of((6.4, 4.2), figure).subplots()
    panels: list[Axes] = list(np.ravel(ax))
    if len(panels) < math.prod(shape):
        raise ValueError(f"ax: {math.prod(shape)} panels need as many axes, not {len(panels)}")

    norm = norm_of(drawn.scores)
    for panel, index in zip(panels, np.ndindex(shape), strict=False):
        lanes = drawn.facet(index)
        if len(axes) == 1:
            _curve(panel, result.coords[axes[0]], lanes, maximize, scatter=bool(sampled))
        else:
            _heat_map(panel, result, axes, lanes, maximize, norm)
        names = [result.coords[name][i] for name, i in zip(facets, index, strict=True)]
        panel.set_title(", ".join(map(str, names)), fontsize="medium")
    panels = panels[: math.prod(shape)]
    _label(axes if len(axes) == 2 else [metric, *axes], panels, bool(facets))
    if facets:
        _hide(list(np.ravel(ax)), len(panels), np.shape(np.atleast_1d(ax))[-1])
    if len(axes) == 2:
        _explain_colours(panels, drawn, metric, norm)
    return ax


def _drawn(result: "SweepResult", metric: str, maximize: bool) -> Lanes:
    run = np.sum(result.status != "not run", axis=-1)
    diverged = np.sum(result.status == "diverged", axis=-1) / np.maximum(run, 1)
    return Lanes(result.values(metric), scores(result, metric, maximize=maximize), diverged)


def _new_panels(shape: tuple[int, ...], figure: Figure | None) -> np.ndarray:
    """A panel for each label, those of two dimensions in rows and columns."""
    if len(shape) == 2:
        rows, columns = shape
    else:
        rows = math.ceil(shape[0] / MOST_COLUMNS)
        columns = math.ceil(shape[0] / rows)
    # Problems have losses of their own sizes; optimizers on one problem are to be compared.
    return figure_of((2.4 * columns + 0.6, 2.2 * rows + 0.5), figure).subplots(
        rows, columns, sharex=True, sharey="row" if len(shape) == 2 else True, squeeze=False
    )


def _hide(panels: list[Axes], count: int, columns: int) -> None:
    """Hide the panels that are left over, and label those above them in their place."""
    for hidden in range(count, len(panels)):
        panels[hidden].set_visible(False)
        panels[hidden - columns].tick_params(labelbottom=True)


def _label(names: list[str], panels: Sequence[Axes], shared: bool) -> None:
    y, x = names
    if shared:
        panels[0].figure.supxlabel(words(x))
        panels[0].figure.supylabel(words(y))
    else:
        panels[0].set(xlabel=words(x), ylabel=words(y))


def _curve(ax: Axes, x: np.ndarray, lanes: Lanes, maximize: bool, scatter: bool) -> None:
    """Median and seeds or their range, the best point, and where some or all seeds diverged."""
    order = np.argsort(x)
    x, (values, scores, diverged) = x[order], (array[order] for array in lanes)
    median = np.where(np.isfinite(scores), scores, np.nan)
    if scatter:
        ax.plot(x, values, ".", color=CURVE, alpha=0.3, markersize=5, markeredgewidth=0)
        ax.plot(x, median, "_", color=CURVE, markersize=6)
    else:
        _band(ax, x, values, diverged)
        # Where neighbours have no median, no line would show that a point has one.
        finite = np.isfinite(median)
        alone = finite & ~np.append(False, finite[:-1]) & ~np.append(finite[1:], False)
        ax.plot(x, median, color=CURVE, linewidth=1.6)
        ax.plot(x, np.where(alone, median, np.nan), ".", color=CURVE, markersize=4)
    best = best_position(scores, maximize)
    if best is not None:
        ax.plot(x[best], median[best], "o", color=CURVE, markersize=7 if scatter else 4.5)
    set_spacing(ax, "x", x)
    if spans_decades(values):
        ax.set_yscale("log")
    _shade(ax, x, diverged)
    ax.spines[["top", "right"]].set_visible(False)


def _band(ax: Axes, x: np.ndarray, values: np.ndarray, diverged: np.ndarray) -> None:
    """The range over the seeds, where none of them diverged."""
    shown = (diverged == 0) & ~np.isnan(values).all(axis=-1)
    kept = np.where(shown[:, None], values, 0.0)
    hidden = np.where(shown, 0.0, np.nan)
    low, high = np.nanmin(kept, axis=-1) + hidden, np.nanmax(kept, axis=-1) + hidden
    ax.fill_between(x, low, high, color=CURVE, alpha=0.25, linewidth=0)


def _shade(ax: Axes, x: np.ndarray, diverged: np.ndarray) -> None:
    left, right = cells(x)
    for start, end, share in zip(left, right, diverged, strict=True):
        if share > 0:
            ax.axvspan(start, end, color=DIVERGED, alpha=0.28 * share, linewidth=0, zorder=0)
    if (diverged == 1).any():
        forward, inverse = SPACED[spacing(x)]
        ends = np.array([left[np.argmax(diverged == 1)], right[-1]])
        ax.text(
            inverse(np.mean(forward(ends))), 0.5, "diverged", transform=ax.get_xaxis_transform(),
            rotation=90, ha="center", va="center", color=DIVERGED_TEXT, fontsize="small",
        )  # fmt: skip
    ax.set_xlim(left[0], right[-1])


def _heat_map(
    ax: Axes,
    result: "SweepResult",
    axes: list[str],
    lanes: Lanes,
    maximize: bool,
    norm: Normalize,
) -> None:
    y, x = (np.sort(result.coords[name]) for name in axes)
    order = np.ix_(*(np.argsort(result.coords[name]) for name in axes))
    scores, diverged = lanes.scores[order], lanes.diverged[order]
    edges = [np.append(left, right[-1:]) for left, right in map(cells, (x, y))]
    ax.set_facecolor(MISSING)
    lost = np.where(~np.isfinite(scores) & (diverged > 0), 0.0, np.nan)
    ax.pcolormesh(*edges, lost, cmap=ListedColormap([DIVERGED_TINT]))
    ax.pcolormesh(*edges, np.where(np.isfinite(scores), scores, np.nan), cmap=COLORMAP, norm=norm)
    best = best_position(scores, maximize)
    if best is not None:
        ax.plot(x[best[1]], y[best[0]], "o", color="white", markeredgecolor="black", markersize=7)
    set_spacing(ax, "x", x)
    set_spacing(ax, "y", y)


def _explain_colours(panels: Sequence[Axes], drawn: Lanes, metric: str, norm: Normalize) -> None:
    """One colour bar for all panels, and what the cells without a colour of it are."""
    figure = panels[0].figure
    finite = np.isfinite(drawn.scores)
    if finite.any():
        below = np.min(drawn.scores[finite]) < norm.vmin
        figure.colorbar(
            ScalarMappable(norm, COLORMAP), ax=list(panels), label=words(metric),
            extend="min" if below else "neither",
        )  # fmt: skip
    found = {
        "diverged": (DIVERGED_TINT, ~finite & (drawn.diverged > 0)),
        "not run to the end": (MISSING, ~finite & (drawn.diverged == 0)),
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

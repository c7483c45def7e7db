"""Pictures of a sweep: where it is stable, and where it is good."""

import math
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

if TYPE_CHECKING:
    from gdlab.sweeps.result import SweepResult

# From Okabe and Ito's palette, which the colour-blind can tell apart, also in grey.
CURVE = "#0072B2"
DIVERGED = "#D55E00"
MOST_COLUMNS = 5


def plot_sweep(
    result: "SweepResult", metric: str = "final_loss", *, maximize: bool = False, ax: Any = None
) -> Any:
    """The metric against the axes of a sweep, with what diverged marked.

    One axis is a curve, the median over seeds with their range; several optimizers are a panel
    each, on the same scales; two axes are a heat map.

    Args:
        result: what :func:`gdlab.sweep` returned.
        metric: "final_loss", or the name of an evaluation metric.
        maximize: whether more is better, for the mark of the best point.
        ax: the matplotlib axes to draw on, or an array of them for several optimizers; new ones
            unless given.

    Returns:
        The matplotlib axes, an array of them for several optimizers.

    Raises:
        ValueError: if there is no axis, or there are too many to draw.
    """
    axes = [name for name in result.dims if name not in ("optimizer", "seed")]
    values = result.values(metric)
    if len(axes) == 1 and "optimizer" in result.dims:
        return _panels(result, values, metric, axes[0], maximize, ax)
    ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")[1] if ax is None else ax
    if len(axes) == 1:
        _curve(ax, result.coords[axes[0]], values, maximize)
        ax.set(xlabel=_words(axes[0]), ylabel=_words(metric))
    elif len(axes) == 2 and "optimizer" not in result.dims:
        _heat_map(ax, result, values, metric, axes, maximize)
    else:
        raise ValueError(
            f"a sweep over {', '.join(result.dims)} does not fit one picture; draw slices of "
            "to_xarray()"
        )
    return ax


def _panels(
    result: "SweepResult",
    values: np.ndarray,
    metric: str,
    axis: str,
    maximize: bool,
    panels: Any,
) -> np.ndarray:
    names = result.coords["optimizer"]
    if panels is None:
        rows = math.ceil(len(names) / MOST_COLUMNS)
        columns = math.ceil(len(names) / rows)
        _, panels = plt.subplots(
            rows, columns, figsize=(2.4 * columns + 0.6, 2.2 * rows + 0.5),
            sharex=True, sharey=True, squeeze=False, layout="constrained",
        )  # fmt: skip
    flat: list[Axes] = list(np.ravel(panels))
    for panel, name, lanes in zip(flat, names, values, strict=False):
        _curve(panel, result.coords[axis], lanes, maximize)
        panel.set_title(name, fontsize="medium")
    columns = np.shape(panels)[-1]
    for hidden in range(len(names), len(flat)):
        flat[hidden].set_visible(False)
        flat[hidden - columns].tick_params(labelbottom=True)
    figure = flat[0].figure
    figure.supxlabel(_words(axis))
    figure.supylabel(_words(metric))
    return panels


def _curve(ax: Axes, x: np.ndarray, lanes: np.ndarray, maximize: bool) -> None:
    """Median and range over seeds, the best point, and where some or all seeds diverged."""
    x, lanes = x[np.argsort(x)], lanes[np.argsort(x)]
    diverged = np.mean(np.isnan(lanes), axis=-1)
    kept = np.where(np.isnan(lanes).all(axis=-1, keepdims=True), 0.0, lanes)
    hidden = np.where(diverged > 0, np.nan, 0.0)
    median = np.median(lanes, axis=-1)
    ax.fill_between(
        x, np.nanmin(kept, axis=-1) + hidden, np.nanmax(kept, axis=-1) + hidden,
        color=CURVE, alpha=0.25, linewidth=0,
    )  # fmt: skip
    ax.plot(x, median, color=CURVE, linewidth=1.6)
    if np.isfinite(median).any():
        best = _best(median, maximize)
        ax.plot(x[best], median[best], "o", color=CURVE, markersize=4.5)
    if _spans_decades(x):
        ax.set_xscale("log")
    if np.nanmin(lanes, initial=np.inf) > 0 and _spans_decades(lanes[np.isfinite(lanes)]):
        ax.set_yscale("log")
    left, right = _cells(x)
    for start, end, share in zip(left, right, diverged, strict=True):
        if share > 0:
            ax.axvspan(start, end, color=DIVERGED, alpha=0.28 * share, linewidth=0, zorder=0)
    if (diverged == 1).any():
        first = left[np.argmax(diverged == 1)]
        ax.text(
            np.sqrt(first * right[-1]) if ax.get_xscale() == "log" else (first + right[-1]) / 2,
            0.5, "diverged", transform=ax.get_xaxis_transform(), rotation=90,
            ha="center", va="center", color="#7A3300", fontsize="small",
        )  # fmt: skip
    ax.set_xlim(left[0], right[-1])
    ax.spines[["top", "right"]].set_visible(False)


def _heat_map(
    ax: Axes,
    result: "SweepResult",
    values: np.ndarray,
    metric: str,
    axes: list[str],
    maximize: bool,
) -> None:
    y, x = (np.sort(result.coords[name]) for name in axes)
    rows, columns = (np.argsort(result.coords[name]) for name in axes)
    median = np.median(values, axis=-1)[np.ix_(rows, columns)]
    positive = np.nanmin(median, initial=np.inf) > 0 and _spans_decades(median[~np.isnan(median)])
    ax.set_facecolor("0.75")
    edges = [np.append(*(cells[0], cells[1][-1:])) for cells in (_cells(x), _cells(y))]
    mesh = ax.pcolormesh(*edges, median, cmap="viridis", norm=LogNorm() if positive else None)
    ax.figure.colorbar(mesh, ax=ax, label=_words(metric))
    if np.isfinite(median).any():
        row, column = np.unravel_index(_best(median, maximize), median.shape)
        ax.plot(x[column], y[row], "o", color="white", markeredgecolor="black", markersize=7)
    if _spans_decades(x):
        ax.set_xscale("log")
    if _spans_decades(y):
        ax.set_yscale("log")
    title = "grey: diverged" if np.isnan(median).any() else None
    ax.set(xlabel=_words(axes[1]), ylabel=_words(axes[0]), title=title)


def _best(median: np.ndarray, maximize: bool) -> int:
    return int(np.nanargmax(median) if maximize else np.nanargmin(median))


def _cells(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edge of the cell around each value, halfway to its neighbours."""
    if len(x) == 1:
        return x - 0.5 * abs(x) - 1e-9, x + 0.5 * abs(x) + 1e-9
    scaled = np.log(x) if _spans_decades(x) else x
    middle = (scaled[1:] + scaled[:-1]) / 2
    ends = 2 * scaled[[0, -1]] - middle[[0, -1]]
    edges = np.concatenate([ends[:1], middle, ends[1:]])
    edges = np.exp(edges) if _spans_decades(x) else edges
    return edges[:-1], edges[1:]


def _spans_decades(values: np.ndarray) -> bool:
    return values.size > 0 and np.min(values) > 0 and np.max(values) >= 10 * np.min(values)


def _words(name: str) -> str:
    return name.replace("_", " ")

"""A metric against one axis: the median over the seeds, their range, and where they diverged."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gdlab.plots.scales import CURVE, DIVERGED, DIVERGED_TEXT, cells, set_spacing
from gdlab.plots.sweeps.lanes import Lanes
from gdlab.sweeps.results.scoring import best_position
from gdlab.sweeps.results.spacing import SPACED, spacing, spans_decades

NARROWEST_NAMED = 0.07
"""The smallest width of a band with its name inside, as a fraction of the width of the axes."""


def draw_curve(ax: Axes, x: np.ndarray, lanes: Lanes, maximize: bool, scatter: bool) -> None:
    """Draw median and seeds or their range, the best point, and where some or all diverged."""
    order = np.argsort(x)
    x, (values, scores, diverged) = x[order], (array[order] for array in lanes)
    median = np.where(np.isfinite(scores), scores, np.nan)
    if scatter:
        ax.plot(x, values, ".", color=CURVE, alpha=0.3, markersize=5, markeredgewidth=0)
        ax.plot(x, median, "_", color=CURVE, markersize=6)
    else:
        _band(ax, x, values, diverged)
        # A point whose neighbours have no median would be invisible without a marker.
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


def draw_choices(ax: Axes, names: np.ndarray, lanes: Lanes, maximize: bool) -> None:
    """Draw the median and the range of the seeds at each choice by name, the best one larger."""
    places = np.arange(len(names))
    values, scores, diverged = lanes
    ax.plot(np.repeat(places, values.shape[-1]), values.ravel(), ".", color=CURVE, alpha=0.4)
    ax.plot(places, np.where(np.isfinite(scores), scores, np.nan), "_", color=CURVE, markersize=18)
    best = best_position(scores, maximize)
    if best is not None:
        ax.plot(best[0], scores[best[0]], "o", color=CURVE, markersize=7)
    if spans_decades(values):
        ax.set_yscale("log")
    for place, share in zip(places, diverged, strict=True):
        if share > 0:
            ends = place - 0.5, place + 0.5
            ax.axvspan(*ends, color=DIVERGED, alpha=0.28 * share, linewidth=0, zorder=0)
    ax.set_xticks(places, [str(name) for name in names])
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.spines[["top", "right"]].set_visible(False)


def _band(ax: Axes, x: np.ndarray, values: np.ndarray, diverged: np.ndarray) -> None:
    """The range over the seeds, where none of them diverged."""
    shown = (diverged == 0) & ~np.isnan(values).all(axis=-1)
    kept = np.where(shown[:, None], values, 0.0)
    hidden = np.where(shown, 0.0, np.nan)
    low, high = np.nanmin(kept, axis=-1) + hidden, np.nanmax(kept, axis=-1) + hidden
    ax.fill_between(x, low, high, color=CURVE, alpha=0.25, linewidth=0)


def _shade(ax: Axes, x: np.ndarray, diverged: np.ndarray) -> None:
    """Shade the cells of values at which seeds diverged, darker for more seeds."""
    left, right = cells(x)
    for start, end, share in zip(left, right, diverged, strict=True):
        if share > 0:
            ax.axvspan(start, end, color=DIVERGED, alpha=0.28 * share, linewidth=0, zorder=0)
    if (diverged == 1).any():
        forward, _ = SPACED[spacing(x)]
        ends = forward(np.stack([left, right]))
        _name_band(ax, (ends - ends[0, 0]) / (ends[1, -1] - ends[0, 0]), diverged == 1)
    ax.set_xlim(left[0], right[-1])


def _name_band(ax: Axes, ends: np.ndarray, diverged: np.ndarray) -> None:
    """Write "diverged" into the widest band of shaded cells, or above it if it is too narrow.

    ``ends`` are the left and right ends of the cells as fractions of the width of the axes.
    """
    padded = np.concatenate([[False], diverged, [False]])
    bands = np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)
    spans = np.stack([ends[0, bands[:, 0]], ends[1, bands[:, 1] - 1]], axis=1)
    low, high = spans[np.argmax(np.ptp(spans, axis=1))]
    middle = (low + high) / 2
    style: dict[str, Any] = {"color": DIVERGED_TEXT, "fontsize": "small"}
    if high - low >= NARROWEST_NAMED:
        ax.text(
            middle, 0.5, "diverged", transform=ax.transAxes, rotation=90, ha="center",
            va="center", **style,
        )  # fmt: skip
    else:
        side = "right" if middle > 0.5 else "left"
        at = high if side == "right" else low
        ax.text(at, 1.01, "diverged", transform=ax.transAxes, ha=side, va="bottom", **style)

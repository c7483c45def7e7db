"""The picture of a range test."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import (
    CURVE,
    DIVERGED,
    DIVERGED_TEXT,
    label,
    spans_decades,
    tick_within_decades,
)

MARKERS = "v", "s", "o"
LANE = "0.35"
SUGGESTION = "black"
MARGIN = 0.15
"""The margin of the vertical axis around the losses at and below the best rate, as a fraction."""


@checked
def plot_learning_rates(
    rates: np.ndarray,
    values: np.ndarray,
    curve: np.ndarray,
    *,
    marks: Mapping[str, float],
    suggestion: float,
    edge: tuple[float, float],
    bound: float = np.nan,
    ax: Ax = None,
) -> Axes:
    """Draw the loss over the learning rate, with the rates that a range test found.

    Args:
        rates: the learning rates, rising.
        values: the loss at each rate, not finite where it diverged.
        curve: the smoothed losses.
        marks: name → rate, each a marker on the curve; at most three.
        suggestion: the suggested rate, drawn as a vertical line.
        edge: the largest stable and the smallest unstable rate; the unstable range is shaded.
        bound: the predicted edge, drawn as a dashed line; NaN for none.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.
    """
    if ax is None:
        ax = figure_of((6.4, 4.2)).subplots()
    below, above = edge
    stable = rates <= below
    values, smooth = (np.where(np.isfinite(array), array, np.nan) for array in (values, curve))
    ax.set_xscale("log")
    if spans_decades(values[stable]):
        ax.set_yscale("log")
    ax.plot(rates, smooth, color=CURVE, linewidth=1.6)
    ax.plot(rates, values, ".", color=LANE, markersize=4.5, markeredgewidth=0)
    ax.axvline(suggestion, color=SUGGESTION, linewidth=1.4, label=f"suggestion {label(suggestion)}")
    known = np.isfinite(smooth)
    for (name, rate), marker in zip(marks.items(), MARKERS, strict=False):
        height = np.interp(np.log(rate), np.log(rates[known]), smooth[known])
        ax.plot(
            rate, height, marker, color=CURVE, markersize=7, markeredgecolor="white",
            label=f"{name} {label(rate)}", zorder=3,
        )  # fmt: skip
    if np.isfinite(bound):
        ax.axvline(
            bound, color=DIVERGED_TEXT, linestyle="--", linewidth=1.2,
            label=f"bound by curvature {label(bound)}",
        )  # fmt: skip
    if np.isfinite(above):
        middle = np.sqrt(below * above)
        ax.axvspan(
            middle, rates[-1] ** 1.5 / rates[-2] ** 0.5, color=DIVERGED, alpha=0.28, linewidth=0,
            zorder=0, label=f"unstable, from {label(below)} to {label(above)} on",
        )  # fmt: skip
    ax.set_xlim(rates[0], rates[-1] ** 1.5 / rates[-2] ** 0.5)
    _frame(ax, values[stable], rates[stable] <= suggestion)
    ax.set(xlabel="learning rate", ylabel="loss at the end")
    ax.legend(fontsize="small", frameon=False, loc="best")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _frame(ax: Axes, values: np.ndarray, falling: np.ndarray) -> None:
    """Fit the vertical axis to the falling part; losses before divergence can have any size."""
    low, high = np.nanmin(values), np.nanmax(values[falling])
    if ax.get_yscale() == "log":
        factor = (high / low) ** MARGIN
        ax.set_ylim(low / factor, high * factor**2)
        tick_within_decades(ax.yaxis)
    else:
        extent = MARGIN * (high - low)
        ax.set_ylim(low - extent, high + 2 * extent)

"""Sharpness and the stability threshold of the optimizer during training."""

from typing import Any

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.plots.arguments import require_same_length
from gdlab.plots.figures import figure_of, panels_of
from gdlab.plots.scales import (
    CURVE,
    DIVERGED_TEXT,
    DIVERGED_TINT,
    HATCH,
    SECOND,
    spans_decades,
    tick_whole_steps,
    tick_within_decades,
)

ROOM = 1.12
"""The factor by which the vertical axis extends beyond the largest and the smallest value."""


@checked
def sharpness(
    step: Any,
    sharpness: Any,
    threshold: Any,
    loss: Any = None,
    ax: Ax = None,
    name: str = "sharpness",
) -> Any:
    """Draw the sharpness over the steps, and the threshold above which the optimizer is unstable.

    The scale is logarithmic where the sharpness rises to ten times the threshold.

    Args:
        step: the steps at which the sharpness was measured, of shape ``(n,)``.
        sharpness: the largest eigenvalue of the Hessian at these steps, NaN where unknown.
        threshold: the largest stable sharpness, a number or one for each step; NaN where unknown.
        loss: the loss at these steps, drawn in a second panel.
        ax: the matplotlib axes to draw on, two of them if there is a loss; new ones unless given.
        name: the label of the sharpness, such as "preconditioned sharpness".

    Returns:
        The matplotlib axes; an array of two if there is a loss.

    >>> from gdlab import plots
    >>> ax = plots.sharpness([0, 10, 20], [1.0, 5.0, 6.8], threshold=2 / 0.3)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['sharpness', 'stable up to here', 'unstable']
    """
    step = real_numbers("step", step, ndim=1, rising=True)
    sharpness = real_numbers("sharpness", sharpness, ndim=1, finite=False)
    threshold = real_numbers("threshold", threshold, finite=False)
    require_same_length("sharpness", sharpness, "step", step)
    if threshold.ndim:
        require_same_length("threshold", threshold, "step", step)
    threshold = np.broadcast_to(threshold, step.shape)
    if loss is None:
        panels = [figure_of((6.4, 3.6)).subplots() if ax is None else ax]
    else:
        panels = panels_of(
            ax, (2, 1), (6.4, 5.0), sharex=True, gridspec_kw={"height_ratios": [3, 2]}
        )
    first = panels[0]
    first.plot(step, sharpness, color=CURVE, linewidth=1.6, label=name)
    bottom, top = _draw_threshold(step, sharpness, threshold, first)
    first.set(
        ylabel=name, ylim=(bottom, top), xlim=(step[0], step[-1]),
        yscale="log" if bottom > 0 else "linear",
    )  # fmt: skip
    first.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.2,
        fontsize="small",
    )  # fmt: skip
    if loss is not None:
        loss = real_numbers("loss", loss, ndim=1, finite=False)
        require_same_length("loss", loss, "step", step)
        panels[1].plot(step, np.where(np.isfinite(loss), loss, np.nan), color=SECOND, linewidth=1.4)
        if spans_decades(loss):
            panels[1].set_yscale("log")
            tick_within_decades(panels[1].yaxis)
        panels[1].set_ylabel("loss")
    panels[-1].set_xlabel("step")
    tick_whole_steps(panels[-1].xaxis)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    return panels[0] if loss is None else panels


def _draw_threshold(
    step: np.ndarray, sharpness: np.ndarray, threshold: np.ndarray, ax: Any
) -> tuple[float, float]:
    """Draw the threshold where it is known, and return the limits of the vertical axis.

    The lower limit is zero unless the scale is logarithmic. A threshold may be ∞, at a learning
    rate of 0, or unknown where the sharpness is known.
    """
    highest = np.max(sharpness, initial=0, where=np.isfinite(sharpness))
    limit = np.min(threshold, initial=np.inf, where=np.isfinite(threshold))
    top = ROOM * (max(highest, limit) if np.isfinite(limit) else highest or 1)
    bottom = 0.0
    if highest >= 10 * limit > 0:
        bottom = min(np.min(sharpness, initial=limit, where=sharpness > 0), limit) / ROOM
    if np.isfinite(limit):
        ax.plot(
            step, threshold, "--", color=DIVERGED_TEXT, linewidth=1.6, label="stable up to here"
        )
        ax.fill_between(
            step, np.minimum(threshold, top), top, facecolor=DIVERGED_TINT, edgecolor="0.65",
            hatch=HATCH, linewidth=0, alpha=0.5, zorder=0, label="unstable",
        )  # fmt: skip
    return bottom, top

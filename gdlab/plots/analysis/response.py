"""The responses of filters to an impulse or to a step."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import MARKERS, PALETTE, legend_name, tick_whole_steps

MAX_STEMS = 80
"""The largest number of samples that are drawn with thick stems."""
SHIFT = 0.16
"""The distance between the stems of two filters, in steps."""
HEADS = "response"
"""The matplotlib id of the heads of stems, with which the filters of earlier calls are counted."""


@checked
def response(response: Any, ax: Ax = None, kind: Literal["impulse", "step"] = "impulse") -> Axes:
    """Draw the output of a filter at each step, as a stem plot.

    Args:
        response: the output after 0, 1, 2, … steps; or name → output of several filters, which
            differ in colour and marker and stand side by side.
        ax: the matplotlib axes to draw on; new ones unless given. A filter that is drawn over
            others differs from them.
        kind: the input of the filter: "impulse" for 1, 0, 0, …, or "step" for 1, 1, 1, ….

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if ``kind`` is neither, there is no response, or a response is not
            one-dimensional.

    >>> from gdlab import plots
    >>> short, long = [[(1 - b) * b**k for k in range(12)] for b in (0.5, 0.8)]
    >>> ax = plots.response({"ema(0.5)": short, "ema(0.8)": long})
    >>> ax.get_ylabel()
    'impulse response'
    """
    if kind not in ("impulse", "step"):
        raise ValueError(f"kind must be 'impulse' or 'step', not {kind!r}")
    named = response if isinstance(response, Mapping) else {"": response}
    if not named:
        raise ValueError("response must be one response or name → response, not an empty one")
    outputs = {name: real_numbers("response", one, finite=False) for name, one in named.items()}
    for name, output in outputs.items():
        of_name = f" of {name!r}" if name else ""
        if output.ndim != 1:
            raise ValueError(
                f"response{of_name} must have one axis, that of the steps, not the shape "
                f"{output.shape}"
            )
        if not np.isfinite(output).any():
            raise ValueError(f"response{of_name} must be finite somewhere, not {output}")
    if ax is None:
        ax = figure_of((6.4, 3.2)).subplots()
    for name, output in outputs.items():
        _draw_stems(ax, output, str(name))
    ax.axhline(0, color="0.4", linewidth=0.8)
    tick_whole_steps(ax.xaxis)
    ax.set(xlabel="step k", ylabel=f"{kind} response")
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize="small")
    return ax


def _draw_stems(ax: Axes, output: np.ndarray, name: str) -> None:
    """Draw one filter, in the next colour and marker of these axes, beside the others."""
    number = sum(line.get_gid() == HEADS for line in ax.lines)
    color, few = PALETTE[number % len(PALETTE)], len(output) <= MAX_STEMS
    steps = np.arange(len(output)) + (SHIFT * number if few else 0)
    ax.vlines(steps, 0, output, color=color, linewidth=1.2 if few else 0.4)
    (heads,) = ax.plot(
        steps, output, MARKERS[number % len(MARKERS)], color=color, markersize=4.5 if few else 2
    )
    heads.set_gid(HEADS)
    if name:
        heads.set_label(legend_name(name))

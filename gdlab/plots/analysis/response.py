"""The response of a filter to an impulse or to a step."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from gdlab.core.checked import checked
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import CURVE, tick_whole_steps

MAX_STEMS = 80
"""The largest number of samples drawn as stems; more are drawn as a line."""


@checked
def response(response: Any, ax: Any = None, kind: Literal["impulse", "step"] = "impulse") -> Axes:
    """The output of a filter, step by step, as stems.

    Args:
        response: the output after 0, 1, 2, … steps.
        ax: the matplotlib axes to draw on; new ones unless given.
        kind: what came in: 1, 0, 0, … is an "impulse", 1, 1, 1, … a "step".

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if ``kind`` is neither.

    >>> from gdlab import plots
    >>> ax = plots.response([0.3, 0.21, 0.147, 0.103, 0.072, 0.05, 0.035, 0.025, 0.017])
    >>> ax.get_ylabel()
    'impulse response'
    """
    if kind not in ("impulse", "step"):
        raise ValueError(f"kind must be 'impulse' or 'step', not {kind!r}")
    response = np.asarray(response, float)
    if ax is None:
        ax = figure_of((6.4, 3.2)).subplots()
    steps = np.arange(len(response))
    few = len(response) <= MAX_STEMS
    ax.vlines(steps, 0, response, color=CURVE, linewidth=1.2 if few else 0.4)
    ax.plot(steps, response, "o", color=CURVE, markersize=4.5 if few else 2)
    ax.axhline(0, color="0.4", linewidth=0.8)
    tick_whole_steps(ax.xaxis)
    ax.set(xlabel="step k", ylabel=f"{kind} response")
    ax.spines[["top", "right"]].set_visible(False)
    return ax

"""The response of a circuit in continuous time, beside the iterates that sample it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.values import real_numbers
from gdlab.plots.arguments import require_same_length
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import CURVE, DIVERGED_TEXT, LINESTYLES, MARKERS

MAX_LARGE_MARKERS = 60
"""The number of iterates up to which their markers are large; more have smaller ones."""


@checked
def circuit_response(
    times: Any, response: Any, iterates: Any = None, ax: Axes | None = None
) -> Axes:
    """Draw the continuous response of each mode as a line, and the iterates as markers.

    Args:
        times: the times, in steps, of shape ``(n,)``.
        response: the distance w to the minimum at these times, of shape ``(n,)`` or ``(n, modes)``.
        iterates: the iterates w₀, w₁, …, of shape ``(steps + 1,)`` or ``(steps + 1, modes)``.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    >>> import numpy as np
    >>> from gdlab import plots
    >>> times = np.linspace(0, 10, 101)
    >>> ax = plots.circuit_response(times, np.exp(-times / 5), 0.8 ** np.arange(11))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['circuit', 'iterates']
    """
    times = real_numbers("times", times, ndim=1, rising=True)
    response = real_numbers("response", response, finite=False)
    require_same_length("response", np.atleast_1d(response), "times", times)
    response = response.reshape(len(times), -1)
    if ax is None:
        ax = figure_of((6.4, 3.4)).subplots()
    for mode, line in enumerate(response.T):
        style = LINESTYLES[mode % len(LINESTYLES)]
        label = "circuit" if mode == 0 else None
        ax.plot(times, line, style, color=DIVERGED_TEXT, linewidth=1.5, label=label)
    if iterates is not None:
        iterates = np.atleast_1d(real_numbers("iterates", iterates, finite=False))
        iterates = iterates.reshape(len(iterates), -1)
        size = 3.5 if len(iterates) <= MAX_LARGE_MARKERS else 1.8
        for mode, points in enumerate(iterates.T):
            ax.plot(
                points, MARKERS[mode % len(MARKERS)], color=CURVE, markersize=size,
                label="iterates" if mode == 0 else None,
            )  # fmt: skip
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.set(xlabel="time (steps)", ylabel="distance to the minimum")
    ax.legend(frameon=False, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)
    return ax

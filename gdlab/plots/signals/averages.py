"""A series of values, and its averages."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.transformation import GradientTransformation
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import LINESTYLES, MARKERS, PALETTE, legend_name, tick_whole_steps
from gdlab.plots.signals.outputs import outputs_of

MAX_MARKED_VALUES = 40
"""The largest number of values that are marked one by one."""


@checked
def averages(
    values: Any, transformations: Mapping[str, GradientTransformation], ax: Ax = None
) -> Axes:
    """Draw values as dots, and their running averages as lines.

    Args:
        values: the values in their order, of shape ``(n,)``.
        transformations: name → average, such as :func:`gdlab.ema`, :func:`gdlab.moving_average`, or
            either within :func:`gdlab.debias`.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if there are no values, or no averages.

    >>> from gdlab import debias, ema, plots
    >>> prices = [12.30, 11.00, 10.20, 10.50, 11.10, 12.70, 13.20, 11.90, 12.40, 14.10]
    >>> averages = {"debias(ema(0.8))": debias(ema(0.8)), "ema(0.8)": ema(0.8)}
    >>> ax = plots.averages(prices, averages)
    >>> [float(line.get_ydata()[0]) for line in ax.lines[1:]]
    [12.3, 2.46]
    """
    require_named("transformations", transformations, "transformation")
    values, averaged = outputs_of("values", values, transformations)
    ax = figure_of((6.4, 3.2)).subplots() if ax is None else ax
    steps = np.arange(1, len(values) + 1)
    few = len(values) <= MAX_MARKED_VALUES
    ax.plot(steps, values, "o", color="0.6", markersize=6 if few else 3, label="values", zorder=1)
    for number, (name, line) in enumerate(averaged.items()):
        ax.plot(
            steps, line, color=PALETTE[number % len(PALETTE)],
            linestyle=LINESTYLES[number % len(LINESTYLES)],
            marker=MARKERS[(number + 1) % len(MARKERS)] if few else None,
            markersize=4.5, linewidth=1.6, label=legend_name(name),
        )  # fmt: skip
    tick_whole_steps(ax.xaxis)
    ax.set(xlabel="step t", ylabel="value")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, borderaxespad=0.3,
        fontsize="small", columnspacing=1.2,
    )  # fmt: skip
    return ax

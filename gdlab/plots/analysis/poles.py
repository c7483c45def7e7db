"""The poles of an iteration in the unit circle."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import complex_numbers
from gdlab.plots.analysis.unit_circle import draw_poles, draw_unit_circle, size_around
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import MARKERS


@checked
def poles(poles: Any, ax: Ax = None, labels: Sequence[str] | None = None) -> Axes:
    """Draw poles in the complex plane: errors decay only for poles inside the unit circle.

    Args:
        poles: complex numbers of shape ``(d,)``, or ``(groups, d)``.
        ax: the matplotlib axes to draw on; new ones unless given.
        labels: the name of each group, such as a mode or a learning rate. Each group then has its
            own marker, and fill and colour distinguish inside from outside; without names all
            groups look the same.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: unless there is a label for each group, or if there are more groups than
            markers.

    >>> from gdlab import plots
    >>> ax = plots.poles([[0.5 + 0.5j, 0.5 - 0.5j], [0.3, -1.2]], labels=["λ = 1", "λ = 10"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['|r| < 1', '|r| ≥ 1', 'λ = 1', 'λ = 10']
    """
    groups = np.atleast_2d(complex_numbers("poles", poles))
    if not groups.size:
        raise ValueError(f"poles must be numbers, of which there is one at least, not {poles!r}")
    if labels is None:
        groups = groups.reshape(1, -1)
    elif len(labels) != len(groups):
        raise ValueError(f"labels: {len(groups)} groups of poles need as many, not {len(labels)}")
    elif len(labels) > len(MARKERS):
        raise ValueError(
            f"labels: there are shapes for {len(MARKERS)} groups, not for {len(labels)}; draw "
            "fewer of them, or all without labels"
        )
    if ax is None:
        ax = figure_of(size_around(groups, 4.4)).subplots()
    draw_unit_circle(ax)
    outer = ["X"] if labels is None else MARKERS
    drawn = [
        draw_poles(ax, group, marker, other)
        for group, marker, other in zip(groups, MARKERS, outer, strict=False)
    ]
    sides = [
        (next((line for line in lines if line.get_xdata().size), None), name)
        for lines, name in zip(zip(*drawn, strict=True), ("|r| < 1", "|r| ≥ 1"), strict=True)
    ]
    handles = {name: line for line, name in sides if line is not None}
    for name, marker in zip(labels or (), MARKERS, strict=False):
        handles[name] = Line2D([], [], linestyle="", marker=marker, color="0.35", markersize=5.5)
    ax.legend(
        handles.values(), handles.keys(), loc="lower left", bbox_to_anchor=(0, 1), ncols=4,
        frameon=False, borderaxespad=0.2, fontsize="small", handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip
    ax.set(xlabel="Re r", ylabel="Im r")
    return ax

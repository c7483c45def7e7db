"""The picture of a coordinate check."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import legend_name, line_style

if TYPE_CHECKING:
    from gdlab.scaling.coordinates.coordinate_check import CoordinateCheck


@checked
def plot_coordinate_check(check: "CoordinateCheck", ax: Ax = None) -> np.ndarray:
    """Draw the sizes of activations, and of their changes, over the width after the last step.

    Lines are the geometric means over the seeds, bands their range. Learning rates transfer across
    widths if the lines are level.

    Args:
        check: the result of :func:`gdlab.scaling.coordinate_check`.
        ax: two matplotlib axes to draw on; new ones unless given.

    Returns:
        The two matplotlib axes.
    """
    panels = panels_of(ax, (1, 2), (9.0, 3.8))
    kinds = {"activations": check.activations, "changes since the start": check.changes}
    for panel, (title, sizes) in zip(panels, kinds.items(), strict=True):
        for number, (name, values) in enumerate(sizes.items()):
            last = values[:, -1]
            style = line_style(number, len(check.widths)) | {"markevery": 1}
            line = np.exp(np.mean(np.log(last), axis=1))
            panel.plot(check.widths, line, **style, label=legend_name(name))
            low, high = last.min(axis=1), last.max(axis=1)
            panel.fill_between(check.widths, low, high, color=style["color"], alpha=0.2, lw=0)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log", base=2)
        _level(panel, check.widths[-1] / check.widths[0])
        panel.set_xticks(check.widths, [f"{width:g}" for width in check.widths])
        panel.set_xticks([], minor=True)
        panel.set(xlabel="width", title=f"{title}, after {check.steps} steps")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("mean absolute value")
    panels[1].legend(fontsize="small", frameon=False)
    return panels


def _level(panel: Axes, factor: float) -> None:
    """Let the vertical axis span at least this factor, so that nearly level lines look level."""
    low, high = panel.get_ylim()
    more = max(1.0, factor / (high / low)) ** 0.5
    panel.set_ylim(low / more, high * more)

"""Schedules over the steps."""

from collections.abc import Mapping

import jax
import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax, Count
from gdlab.core.schedule import Schedule, as_schedule
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import LINESTYLES, PALETTE, legend_name, tick_whole_steps

MAX_MARKED_STEPS = 40
"""The largest number of steps that are marked one by one."""
MAX_DRAWN_STEPS = 2000
"""The largest number of steps that are drawn, evenly spaced."""


@checked
def schedules(
    schedules: Schedule | Mapping[str, Schedule], steps: Count = 100, ax: Ax = None
) -> Axes:
    """Draw the values of schedules from step 0 to step ``steps``, both included.

    Args:
        schedules: one schedule, or name → schedule.
        steps: the last step.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if ``steps`` is not positive.

    >>> from gdlab import cosine_decay_schedule, linear_schedule, plots
    >>> ax = plots.schedules(
    ...     {"line": linear_schedule(1.0, 0.0, 20), "cosine": cosine_decay_schedule(1.0, 20)}, 20
    ... )
    >>> [round(float(line.get_ydata()[5]), 4) for line in ax.lines]
    [0.75, 0.8536]
    """
    named = schedules if isinstance(schedules, Mapping) else {"": schedules}
    require_named("schedules", named, "schedule")
    counts = np.unique(np.linspace(0, steps, min(steps + 1, MAX_DRAWN_STEPS)).round().astype(int))
    ax = figure_of((6.0, 3.2)).subplots() if ax is None else ax
    for number, (name, eta) in enumerate(named.items()):
        values = np.asarray(jax.jit(jax.vmap(as_schedule(eta)))(counts))
        ax.plot(
            counts, values, color=PALETTE[number % len(PALETTE)],
            linestyle=LINESTYLES[number % len(LINESTYLES)],
            marker="o" if steps <= MAX_MARKED_STEPS else None, markersize=3.5, linewidth=1.8,
            label=legend_name(name),
        )  # fmt: skip
    tick_whole_steps(ax.xaxis, 6)
    ax.set(xlabel="step t", ylabel="value")
    ax.margins(x=0.02)
    ax.spines[["top", "right"]].set_visible(False)
    if any(named):
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, borderaxespad=0.3,
            fontsize="small", columnspacing=1.2,
        )  # fmt: skip
    return ax

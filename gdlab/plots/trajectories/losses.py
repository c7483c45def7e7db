"""The loss at each step of some runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.plots.arguments import require_named, runs_by_name
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import legend_name, line_style, tick_whole_steps
from gdlab.sweeps.results.spacing import spans_decades

SMALLEST, LARGEST = 1e-16, 100.0
"""The range of losses that is drawn, as multiples of the loss at the start."""


@checked
def losses(runs: Any, *, minimum: float | None = None, ax: Ax = None) -> Axes:
    """Draw the loss of runs at each step, on a logarithmic axis if it spans a factor of ten.

    Args:
        runs: name → a run of :func:`gdlab.minimize`, or losses of shape ``(steps + 1,)``; or a
            single run or array of losses.
        minimum: the smallest possible loss, such as ``problem.minimum``, if it is known; the height
            of losses above it is then drawn, and what lies below, as the loss of a batch may, is
            left out.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if there are no runs, a run does not have a loss for each step, or all its
            losses lie below the minimum.

    >>> from gdlab import minimize, plots, problems, sgd
    >>> bowl = problems.quadratic([1.0, 20.0])
    >>> runs = {
    ...     f"η = {rate}": minimize(bowl, bowl.start, sgd(rate), steps=50) for rate in (0.02, 0.09)
    ... }
    >>> ax = plots.losses(runs, minimum=bowl.minimum)
    >>> ax.get_ylabel(), ax.get_yscale()
    ('loss above its minimum', 'log')
    """
    named = runs_by_name("runs", runs)
    require_named("runs", named, "run")
    values = {name: _values(name, getattr(run, "values", run)) for name, run in named.items()}
    for name, value in values.items():
        if minimum is not None and np.all(value < minimum):
            which = f" of {name!r}" if name else ""
            raise ValueError(f"minimum is {minimum}, but all losses{which} lie below it")
    ax = figure_of((6.0, 3.4)).subplots() if ax is None else ax
    looks = [line_style(number, len(value)) for number, value in enumerate(values.values())]
    lines = draw_losses(ax, list(values.values()), looks, minimum)
    for line, name in zip(lines, values, strict=True):
        line.set_label(legend_name(name))
    if any(values):
        ax.legend(frameon=False, fontsize="small", handlelength=2.6)
    return ax


def draw_losses(
    ax: Any, values: Sequence[np.ndarray], looks: Sequence[Any], minimum: float | None
) -> list[Line2D]:
    """Draw the lines, and choose the scale and limits of the axis."""
    known = minimum is not None and np.isfinite(minimum)
    heights = [value - minimum if known else value for value in values]
    finite = np.concatenate([height[np.isfinite(height)] for height in heights])
    logarithmic = known or (minimum is None and spans_decades(finite))
    shown = [np.where(h > 0, h, np.nan) if logarithmic else h for h in heights]
    lines = [
        line
        for height, look in zip(shown, looks, strict=True)
        for line in ax.plot(height, **look)
    ]  # fmt: skip
    top = max(float(height[0]) for height in heights)
    if logarithmic and top > 0:
        highest = min(np.nanmax([np.nanmax(h, initial=top) for h in shown]), LARGEST * top)
        lowest = min(np.nanmin(h, initial=top) for h in shown)
        ax.set(yscale="log", ylim=(max(lowest, SMALLEST * top) / 2, 2 * highest))
    ax.set(xlabel="step", ylabel="loss above its minimum" if known else "loss")
    ax.set_xlim(0, max(1, *(len(height) - 1 for height in heights)))
    tick_whole_steps(ax.xaxis)
    ax.spines[["top", "right"]].set_visible(False)
    return lines


def _values(name: str, values: Any) -> np.ndarray:
    values = real_numbers("runs", values, finite=False)
    if values.ndim != 1 or not values.size:
        which = f" {name!r}" if name else ""
        raise ValueError(
            f"runs: the run{which} must have a loss for each step, of shape (steps + 1,), not of "
            f"shape {values.shape}"
        )
    return values

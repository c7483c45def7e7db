"""The expected loss of a run with noisy gradients, and its two parts."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.plots.arguments import require_same_length
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import CURVE, DIVERGED, SECOND, tick_whole_steps
from gdlab.sweeps.results.spacing import spans_decades

SMALLEST = 1e-12
"""The fraction of the largest loss below which a component of the loss is not drawn."""


@checked
def expected_loss(deterministic: Any, stochastic: Any, ax: Ax = None) -> Axes:
    """Draw the expected loss over the steps, with the loss of the mean iterate and that of noise.

    Args:
        deterministic: the loss of the mean iterate, of shape ``(steps + 1,)``.
        stochastic: the loss added by noise, of the same shape.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: unless both are series of the same length.

    >>> from gdlab import plots
    >>> ax = plots.expected_loss([2.0, 0.5, 0.125], [0.0, 0.125, 0.15625])
    >>> ax.get_ylabel()
    'expected loss'
    """
    parts = [
        real_numbers("deterministic", deterministic, ndim=1, finite=False),
        real_numbers("stochastic", stochastic, ndim=1, finite=False),
    ]
    require_same_length("stochastic", parts[1], "deterministic", parts[0])
    if ax is None:
        ax = figure_of((6.0, 3.4)).subplots()
    total = parts[0] + parts[1]
    ax.plot(total, color=CURVE, linewidth=2.2, label="expected loss")
    ax.plot(parts[0], color=SECOND, linestyle="--", label="of the mean iterate")
    ax.plot(parts[1], color=DIVERGED, linestyle=":", linewidth=1.8, label="added by noise")
    if spans_decades(total):
        ax.set_yscale("log")
        largest = np.max(total[np.isfinite(total)])
        lowest = min(np.min(part[part > 0], initial=largest) for part in parts)
        ax.set_ylim(max(lowest, SMALLEST * largest) / 1.5, 1.5 * largest)
    tick_whole_steps(ax.xaxis)
    ax.set(xlabel="step", ylabel="expected loss", xlim=(0, max(len(total) - 1, 1)))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return ax

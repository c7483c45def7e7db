"""The sizes of the steps of optimizers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.transformation import GradientTransformation
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import LINESTYLES, PALETTE, legend_name, tick_within_decades
from gdlab.plots.signals.outputs import outputs_of


@checked
def step_sizes(
    gradients: Any, optimizers: Mapping[str, GradientTransformation], ax: Ax = None
) -> Axes:
    """Draw the sizes of optimizers' steps for a series of gradients, on logarithmic axes.

    A power of t is then a straight line: on a constant gradient, Adagrad's steps fall as 1/√t.

    Args:
        gradients: the gradients of one weight, of shape ``(n,)``.
        optimizers: name → optimizer.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if there are no gradients, or no optimizers.

    >>> import numpy as np
    >>> from gdlab import adagrad, plots, rmsprop
    >>> adagrad = adagrad(1.0, initial_accumulator_value=0.0, eps=0.0)
    >>> ax = plots.step_sizes(np.ones(100), {"Adagrad": adagrad, "RMSProp": rmsprop(1.0)})
    >>> ax.lines[0].get_ydata()[:4]
    array([1.   , 0.707..., 0.577..., 0.5  ])
    """
    require_named("optimizers", optimizers, "optimizer")
    gradients, steps = outputs_of("gradients", gradients, optimizers)
    ax = figure_of((6.0, 3.2)).subplots() if ax is None else ax
    t = np.arange(1, len(gradients) + 1)
    for number, (name, step) in enumerate(steps.items()):
        size = np.abs(step)
        ax.loglog(
            t, np.where(size > 0, size, np.nan), color=PALETTE[number % len(PALETTE)],
            linestyle=LINESTYLES[number % len(LINESTYLES)], linewidth=1.8, label=legend_name(name),
        )  # fmt: skip
    ax.set(xlabel="step t", ylabel="size of the step", xlim=(1, max(2, len(gradients))))
    tick_within_decades(ax.xaxis)
    tick_within_decades(ax.yaxis)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return ax

"""The contribution of each mode to the loss, step by step."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import COLORMAP, LINESTYLES, label, tick_whole_steps
from gdlab.sweeps.results.spacing import spans_decades

MOST_NAMES = 6
LEAST_SHARE = 1e-4
"""A mode is not drawn where its loss is below this fraction of the smallest total loss."""
COLORS = ListedColormap(plt.get_cmap(COLORMAP)(np.linspace(0, 0.85, 256)))
"""The part of the colour map that stands out from white."""


@checked
def error_by_mode(curvature: Any, path: Any, ax: Ax = None) -> np.ndarray:
    """Draw the loss ½λᵢwᵢ² of each mode on a logarithmic scale, and its share of the total below.

    Stacked areas need a linear scale, on which the small late losses would be invisible. So the
    losses are drawn as lines, and only their shares of the total are stacked.

    Args:
        curvature: the eigenvalue λ > 0 of each mode, of shape ``(modes,)``.
        path: the distances wᵢ to the minimum at steps 0, 1, 2, …, of shape ``(steps + 1, modes)``.
        ax: two matplotlib axes, for the loss and the shares; new ones unless given.

    Returns:
        The two matplotlib axes.

    Raises:
        ValueError: unless the path has a column for each mode.

    >>> from gdlab import plots
    >>> path = [[0.9**k, 0.2**k] for k in range(9)]
    >>> loss, share = plots.error_by_mode([1.0, 10.0], path)
    >>> [text.get_text() for text in loss.get_legend().get_texts()]
    ['λ = 1', 'λ = 10', 'all modes']
    """
    curvature = real_numbers("curvature", curvature, ndim=1, least=0)
    path = real_numbers("path", path, finite=False)
    if path.ndim != 2 or not path.size or path.shape[1] != len(curvature):
        raise ValueError(
            "path needs the shape (steps + 1, modes) for curvature of shape (modes,), not "
            f"{path.shape} for {curvature.shape}"
        )
    order = np.argsort(curvature)
    curvature = curvature[order]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        loss = curvature * path[:, order] ** 2 / 2
        total = np.sum(loss, axis=1)
        share = loss / total[:, None]
    share[~np.isfinite(total)] = np.nan
    steps = np.arange(len(path))
    upper, lower = panels = panels_of(ax, (2, 1), (6.4, 5.0), sharex=True)

    logarithmic = spans_decades(curvature)
    norm = (LogNorm if logarithmic else Normalize)(*curvature[[0, -1]])
    colors = COLORS(norm(curvature))
    few = len(curvature) <= MOST_NAMES
    for i, (value, color) in enumerate(zip(curvature, colors, strict=True)):
        upper.plot(
            steps, _positive(loss[:, i]), color=color, linewidth=1.5,
            linestyle=LINESTYLES[i % len(LINESTYLES)] if few else "-",
            label=f"λ = {label(value)}" if few else None,
        )  # fmt: skip
    upper.plot(steps, _positive(total), color="black", linewidth=2.6, alpha=0.35, label="all modes")
    upper.set_yscale("log")
    if not np.all(np.isnan(_positive(total))):
        floor = LEAST_SHARE * np.nanmin(_positive(total))
        upper.set_ylim(bottom=max(floor, upper.get_ylim()[0]))
    # The steepest mode, which decays first, is at the bottom.
    lower.stackplot(
        steps, share.T[::-1], colors=colors[::-1], linewidth=0.5,
        edgecolor="white" if few else colors[::-1],
    )  # fmt: skip
    upper.set(ylabel="loss ½λᵢwᵢ²")
    lower.set(
        xlabel="step k", ylabel="share of the loss", ylim=(0, 1), xlim=(0, max(steps[-1], 1)),
    )  # fmt: skip
    tick_whole_steps(lower.xaxis)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    upper.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, borderaxespad=0.2,
        fontsize="small",
    )  # fmt: skip
    if not few:
        upper.figure.colorbar(ScalarMappable(norm, COLORS), ax=list(panels), label="curvature λ")
    return panels


def _positive(values: np.ndarray) -> np.ndarray:
    """Replace values that a logarithmic scale cannot show by NaN."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)

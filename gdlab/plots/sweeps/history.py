"""Hyperparameters that change while a population trains."""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.representation import in_words
from gdlab.plots.scales import COLORMAP, MISSING, tick_whole_steps
from gdlab.plots.sweeps.colors import color_bar, norm_of_scores
from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.results.labelled import lane_labels
from gdlab.sweeps.results.scoring import best_position, scores
from gdlab.sweeps.results.spacing import spans_decades

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


@checked
def plot_history(
    result: "SweepResult",
    axis: str,
    metric: str = "final_loss",
    *,
    maximize: bool | None = None,
    ax: Ax = None,
) -> Any:
    """Draw an axis over the steps for each member, with a dot where it copied another member.

    Args:
        result: the result of population-based training.
        axis: the name of an axis that population-based training changed.
        metric: the metric that colours the members: "final_loss", or the name of an evaluation
            metric.
        maximize: whether more is better, unless the name of the metric tells; the best member is
            on top.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if the axis has no history.
    """
    maximize = is_maximized(metric, maximize)
    known = [name for name in result.history if name != "parent"]
    if axis not in known:
        there = f"; there is that of {', '.join(known)}" if known else ": nothing changed its axes"
        raise ValueError(f"there is no history of {axis!r}{there}")
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")[1]
    first = lane_labels(result)[axis][..., 0].ravel()
    rungs = result.coords["rung"]
    after = result.history[axis].reshape(len(rungs), -1)
    x = np.concatenate([[0], rungs, [result.coords["step"][-1]]])
    y = np.concatenate([first[None], after, after[-1:]])

    point_scores = scores(result, metric, maximize=maximize).ravel()
    norm = norm_of_scores(point_scores, maximize)
    finite = np.isfinite(point_scores)
    colors = np.full((finite.size, 4), (*3 * [float(MISSING)], 1.0))
    colors[finite] = plt.get_cmap(COLORMAP)(norm(point_scores[finite]))
    worst_first = np.argsort(point_scores if maximize else -point_scores)
    steps = [np.stack([np.repeat(x, 2)[1:], np.repeat(member, 2)[:-1]], axis=-1) for member in y.T]
    ax.add_collection(
        LineCollection([steps[i] for i in worst_first], colors=colors[worst_first], linewidths=1.2)
    )
    if "parent" in result.history:
        parent = result.history["parent"].reshape(len(rungs), -1)
        rung, member = np.nonzero(parent != np.arange(parent.shape[1]))
        ax.scatter(rungs[rung], after[rung, member], s=14, color=colors[member], zorder=3)
    best = best_position(point_scores, maximize)
    if best is not None:
        ax.plot(*steps[best[0]].T, color="black", linewidth=2, zorder=4, label="best")
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.2,
            fontsize="small",
        )  # fmt: skip
    if spans_decades(y):
        ax.set_yscale("log")
    ax.autoscale_view()
    ax.set(xlabel="step", ylabel=in_words(axis), xlim=(x[0], x[-1]))
    tick_whole_steps(ax.xaxis)
    ax.spines[["top", "right"]].set_visible(False)
    if finite.any():
        color_bar(norm, [ax], metric)
    return ax

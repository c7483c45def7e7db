"""Training and validation over the steps of a run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gdlab.axes.naming import EVALUATION_STEP
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.representation import in_words
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import PALETTE, spans_decades, tick_whole_steps
from gdlab.sweeps.direction import is_maximized

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


@checked
def plot_curves(
    result: "SweepResult",
    metric: str | None = None,
    point: Mapping[str, Any] | None = None,
    ax: Ax = None,
) -> Any:
    """Draw the training loss of a point and a metric evaluated on the way, over the steps.

    Lines are medians over the seeds, bands their range, and a dot marks the best evaluation. A
    metric of which more is better has a scale of its own on the right.

    Args:
        result: what :func:`gdlab.sweep` returned.
        metric: the name of a metric evaluated on the way; by default the first one.
        point: name of an axis → its value; the point with the best final loss unless given.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if the sweep did not evaluate on the way, there is no such metric, or several
            points are left.
    """
    if metric is not None and not result.curves:
        raise ValueError(
            f"metric: {metric!r} was not recorded on the way, nor was another: sweep with "
            "evaluate_every"
        )
    if not result.curves:
        raise ValueError("there are no metrics on the way: sweep with evaluate_every")
    metric = next(iter(result.curves)) if metric is None else metric
    if metric not in result.curves:
        raise ValueError(f"there is no metric {metric!r} on the way; there are {[*result.curves]}")
    point = result.best() if point is None else point
    one = result.select(**{k: v for k, v in point.items() if k in (*result.axes, *result.dims)})
    if one.status.size != len(one.coords["seed"]):
        raise ValueError(f"several points are left ({', '.join(one.dims[:-1])}): say which")
    panel: Axes = figure_of((6.4, 4.2), None).subplots() if ax is None else ax
    seeds = len(one.coords["seed"])
    stops = np.where(one.stopped_at < 0, np.inf, one.stopped_at).reshape(seeds, 1)
    training = _until(stops, one.coords["step"], one.loss.reshape(seeds, -1))
    validation = _until(stops, one.coords[EVALUATION_STEP], one.curves[metric].reshape(seeds, -1))
    maximize = _more_is_better(metric)
    beside = panel.twinx() if maximize else panel
    lines = [
        _draw(panel, one.coords["step"], training, PALETTE[0], "training loss"),
        _draw(beside, one.coords[EVALUATION_STEP], validation, PALETTE[1], in_words(metric)),
    ]
    _mark_best(beside, one.coords[EVALUATION_STEP], validation, maximize)
    losses = training if maximize else np.append(training.ravel(), validation.ravel())
    if spans_decades(losses) and np.nanmin(losses) > 0:
        panel.set_yscale("log")
    panel.set(xlabel="step", ylabel="loss")
    tick_whole_steps(panel.xaxis)
    if beside is not panel:
        beside.set_ylabel(in_words(metric))
        beside.spines["top"].set_visible(False)
    panel.legend(
        handles=lines, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2
    )
    panel.spines[["top", "right"]].set_visible(False)
    _epochs_above(panel, result.settings.get("steps_per_epoch"))
    return panel


def _until(stops: np.ndarray, steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values of each seed up to the step at which it stopped, NaN after it."""
    return np.where(steps <= stops, values, np.nan)


def _more_is_better(metric: str) -> bool:
    """Tell whether the name of a metric says that more is better."""
    try:
        return is_maximized(metric)
    except ValueError:
        return False


def _draw(ax: Axes, steps: np.ndarray, values: np.ndarray, color: str, label: str) -> Line2D:
    """Draw the median and the range over the seeds."""
    shown = ~np.isnan(values).all(axis=0)
    steps, values = steps[shown], values[:, shown]
    (line,) = ax.plot(steps, np.nanmedian(values, axis=0), color=color, label=label, linewidth=1.5)
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    ax.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
    return line


def _mark_best(ax: Axes, steps: np.ndarray, values: np.ndarray, maximize: bool) -> None:
    """Draw a dot at the best median of the evaluations."""
    shown = ~np.isnan(values).all(axis=0)
    steps, median = steps[shown], np.nanmedian(values[:, shown], axis=0)
    best = np.argmax(median) if maximize else np.argmin(median)
    ax.plot(steps[best], median[best], "o", color=PALETTE[1], markeredgecolor="black")


def _epochs_above(ax: Axes, steps_per_epoch: int | None) -> None:
    """Add a second scale at the top that counts epochs."""
    if steps_per_epoch:

        def epochs(steps: Any) -> Any:
            return steps / steps_per_epoch

        def steps(epochs: Any) -> Any:
            return epochs * steps_per_epoch

        ax.secondary_xaxis("top", functions=(epochs, steps)).set_xlabel("epoch")

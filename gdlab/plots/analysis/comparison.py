"""Predicted curves drawn as lines, with measured values as marks."""

from typing import Any

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.representation import in_words
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import (
    CURVE,
    DIVERGED_TEXT,
    DIVERGED_TINT,
    HATCH,
    SECOND,
    label,
    set_spacing,
    tick_whole_steps,
)

MARKS = 60
"""The approximate number of measured steps that are drawn with a marker."""


@checked
def plot_run_comparison(
    step: Any,
    measured: Any,
    predicted: Any,
    stochastic: Any,
    measured_rate: float,
    predicted_rate: float,
    stable_range: tuple[float, float],
    ax: Ax = None,
) -> Any:
    """Draw the measured loss of a run and its predicted expectation, with both rates.

    Args:
        step: the steps, of shape (n,).
        measured: the loss of the run above its minimum, of shape (n,).
        predicted: the expected loss above the minimum, of shape (n,).
        stochastic: the part of ``predicted`` that is due to noise, of shape (n,).
        measured_rate: the measured factor by which the error shrinks in a step.
        predicted_rate: the predicted factor.
        stable_range: the learning rates (low, high) between which the optimizer is stable.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.
    """
    step, measured = np.asarray(step), np.asarray(measured, float)
    ax = figure_of((6.4, 3.8)).subplots() if ax is None else ax
    shown = np.unique(np.linspace(0, len(step) - 1, MARKS).astype(int))
    known = f", rate {measured_rate:.3f}" if np.isfinite(measured_rate) else ""
    ax.plot(
        step[shown], np.where(measured[shown] > 0, measured[shown], np.nan), "o",
        color=CURVE, markersize=4, markerfacecolor="none", label=f"measured{known}",
    )  # fmt: skip
    ax.plot(
        step, predicted, color=DIVERGED_TEXT, linewidth=1.6,
        label=f"predicted, rate {predicted_rate:.3f}",
    )  # fmt: skip
    if np.any(np.asarray(stochastic) > 0):
        floor = np.where(np.asarray(stochastic) > 0, stochastic, np.nan)
        ax.plot(step, floor, "--", color=SECOND, linewidth=1.4, label="of which noise")
    low, high = stable_range
    stable = f"stable for {label(low)} < η < {label(high)}"
    ax.set(xlabel="step", ylabel="loss above its minimum", yscale="log", xlim=(0, step[-1]))
    tick_whole_steps(ax.xaxis)
    ax.set_title(
        "unstable for every η" if np.isnan(high) else stable, fontsize="medium", loc="left"
    )
    ax.legend(frameon=False, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


@checked
def plot_sweep_comparison(
    name: str,
    values: Any,
    measured: Any,
    predicted: Any,
    predicted_range: tuple[float, float],
    measured_edge: Any,
    ax: Ax = None,
) -> Any:
    """Draw the final losses of a sweep, their predicted expectation, and both edges of stability.

    Args:
        name: the name of the hyperparameter.
        values: the values of the hyperparameter, of shape (n,).
        measured: the loss above its minimum, of shape (n, seeds), NaN where a run diverged.
        predicted: the expected loss above the minimum, of shape (n,).
        predicted_range: the values (low, high) between which the optimizer is predicted to be
            stable.
        measured_edge: the largest value that did not diverge, with its bracket; a
            :class:`gdlab.sweeps.results.ranges.Edge`.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.
    """
    values, measured = np.asarray(values, float), np.asarray(measured, float)
    order = np.argsort(values)
    ax = figure_of((6.4, 3.8)).subplots() if ax is None else ax
    # A run that is about to diverge is drawn, but does not set the scale.
    positive = measured[np.isfinite(measured) & (measured > 0)]
    expected = np.asarray(predicted, float)
    inside = (values > predicted_range[0]) & (values < predicted_range[1])
    scale = expected[inside & np.isfinite(expected) & (expected > 0)]
    for seed in range(measured.shape[1]):
        ax.plot(
            values, np.where(measured[:, seed] > 0, measured[:, seed], np.nan), "o", color=CURVE,
            markersize=4, markerfacecolor="none", label="measured" if seed == 0 else None,
        )  # fmt: skip
    line = np.where(expected > 0, expected, np.nan)[order]
    ax.plot(values[order], line, color=DIVERGED_TEXT, linewidth=1.6, label="predicted")
    ax.set(xlabel=in_words(name), ylabel="loss above its minimum, at the end", yscale="log")
    set_spacing(ax, "x", values[order])
    ends = np.concatenate([positive, scale])
    if ends.size:
        ax.set_ylim(np.min(ends) / 3, np.max(scale, initial=np.min(ends)) * 30)
    ax.set_xlim(values[order][0], values[order][-1])
    right = ax.get_xlim()[1]
    if predicted_range[1] < right:
        ax.axvspan(
            predicted_range[1], right, facecolor=DIVERGED_TINT, edgecolor="0.65", hatch=HATCH,
            linewidth=0, alpha=0.5, zorder=0,
            label=f"predicted unstable, from {label(predicted_range[1])}",
        )  # fmt: skip
    if np.isfinite(measured_edge.value):
        ax.axvline(
            measured_edge.value, color="0.2", linewidth=1.2, linestyle=":",
            label=f"last that did not diverge, {label(measured_edge.value)}",
        )  # fmt: skip
    ax.legend(frameon=False, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)
    return ax

"""The pictures of a report: the cost of tuning, differences with intervals, and the profile."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.representation import in_words
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import legend_name, line_style
from gdlab.sweeps.report.differences import Difference
from gdlab.sweeps.report.statistics import mean_interval
from gdlab.sweeps.report.targets import PerformanceProfile
from gdlab.sweeps.report.tuning import ExpectedBest
from gdlab.sweeps.results.spacing import spans_decades

if TYPE_CHECKING:
    from gdlab.sweeps.report.report import SweepReport

LARGEST_RATIO = 16.0
"""The largest ratio to the fewest evaluations up to which a profile is drawn."""
PANEL = 4.2, 3.4
"""The width and height of a panel, in inches."""


@checked
def plot_report(report: "SweepReport", ax: Ax = None) -> np.ndarray:
    """Draw a panel for each problem's cost of tuning, for all differences, and for the profile.

    Args:
        report: the report; judgements that it lacks have no panel.
        ax: as many matplotlib axes as there are panels; new ones unless given.

    Returns:
        The matplotlib axes, of shape ``(panels,)``.

    Raises:
        ValueError: if there is nothing to draw, or ``ax`` has another number of axes.
    """
    panels = _panels(report)
    if not panels:
        raise ValueError(
            "the report has no tuning, no differences and no profile to draw: the sweep has one "
            "point of one optimizer"
        )
    shape = (1, len(panels))
    axes = panels_of(ax, shape, (PANEL[0] * len(panels), PANEL[1]))
    for panel, draw in zip(axes, panels, strict=True):
        draw(panel)
        panel.spines[["top", "right"]].set_visible(False)
    return axes


def _panels(report: "SweepReport") -> list[Callable[[Axes], None]]:
    """Return a drawing function for each panel."""
    tunings = [each for each in report.judgements if isinstance(each, ExpectedBest)]
    panels: list[Callable[[Axes], None]] = []
    for problem in dict.fromkeys(each.problem for each in tunings):
        there = [each for each in tunings if each.problem == problem]
        panels.append(lambda panel, there=there: _draw_tuning(panel, there))
    differences = [
        each for each in report.judgements if isinstance(each, Difference) and np.isfinite(each.low)
    ]
    if differences:
        panels.append(lambda panel: _draw_differences(panel, differences))
    for each in report.judgements:
        if isinstance(each, PerformanceProfile):
            panels.append(lambda panel, profile=each: _draw_profile(panel, profile))
    return panels


def _draw_tuning(ax: Axes, tunings: Sequence[ExpectedBest]) -> None:
    """Draw the expected best of k trials over their cost, with its interval over the seeds."""
    for number, tuning in enumerate(tunings):
        cost = tuning.evaluations * np.arange(1, tuning.by_seed.shape[1] + 1)
        look = line_style(number, len(cost))
        ax.plot(cost, tuning.expected, label=legend_name(tuning.optimizer), **look)
        ends = np.array([mean_interval(each, tuning.confidence) for each in tuning.by_seed.T])
        ax.fill_between(cost, *ends.T, color=look["color"], alpha=0.15, linewidth=0)
    expected = np.concatenate([tuning.expected for tuning in tunings])
    if np.all(expected >= 0) and spans_decades(expected[expected > 0]):
        ax.set_yscale("log")  # the line ends where the loss is exactly 0
    ax.set(xlabel="evaluations spent on tuning", ylabel=f"expected {in_words(tunings[0].metric)}")
    ax.set_title(tunings[0].problem, fontsize="medium")
    if any(tuning.optimizer for tuning in tunings):
        ax.legend(frameon=False, fontsize="small")


def _draw_differences(ax: Axes, differences: Sequence[Difference]) -> None:
    """Draw the mean of each difference with its interval, and the difference on each seed."""
    names = []
    for row, each in enumerate(reversed(differences)):
        look = line_style(0 if each.is_significant else 6, 1)
        ax.plot(each.by_seed, np.full(each.seeds, row - 0.16), ".", color="0.6", markersize=4)
        ax.plot([each.low, each.high], [row, row], color=look["color"], linewidth=2)
        ax.plot(each.mean, row, "o", color=look["color"], markersize=5)
        where = f" on {each.problem}" if each.problem else ""
        names.append(f"{each.better} over {each.other}{where}")
    ax.axvline(0, color="0.4", linewidth=0.8)
    ax.set_yticks(range(len(names)), names, fontsize="small")
    ax.set(xlabel=f"gain in {in_words(differences[0].metric)}", ylim=(-0.6, len(names) - 0.4))


def _draw_profile(ax: Axes, profile: PerformanceProfile) -> None:
    """Draw the share of tasks that each optimizer solves within a factor of the fastest."""
    finite = np.concatenate([r[np.isfinite(r)] for r in profile.ratios.values()])
    end = min(LARGEST_RATIO, 1.1 * np.max(finite, initial=1.5))
    for number, (name, ratios) in enumerate(profile.ratios.items()):
        steps = np.sort(ratios[ratios <= end])
        shares = np.arange(1, len(steps) + 1) / len(ratios)
        x, y = np.concatenate([[1], steps, [end]]), np.concatenate([[0], shares, shares[-1:]])
        if len(y) < len(x):
            y = np.append(y, 0)
        look = line_style(number, len(x))
        ax.step(x, y, where="post", label=legend_name(name), **look | {"marker": None})
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="factor of the fewest evaluations", ylabel="share solved", ylim=(0, 1.05))
    ax.set_xlim(1, end)
    ax.legend(frameon=False, fontsize="small", loc="lower right")

"""The picture of a learning-rate law."""

import math
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.core.representation import in_words
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import COLORMAP, CURVE, DIVERGED, label
from gdlab.sweeps.results.spacing import spans_decades

if TYPE_CHECKING:
    from gdlab.scaling.laws.learning_rate_law import LearningRateLaw
    from gdlab.scaling.laws.optimum import Optimum

LIGHTEST = 0.88
"""The end of the used part of the colour map; lighter colours are hard to see on white."""
HIGHEST = 30.0
"""Losses are cut off above this multiple of the largest loss at a best rate."""
BEYOND = 2.0
"""The factor by which the drawn law extends beyond the fitted sizes."""


@checked
def plot_learning_rate_law(law: "LearningRateLaw", ax: Ax = None) -> np.ndarray:
    """Draw the loss over the learning rate for each size, and the best rate over the size.

    Args:
        law: a law of one size.
        ax: two matplotlib axes to draw on; new ones unless given.

    Returns:
        The two matplotlib axes.

    Raises:
        ValueError: if the law has several sizes.
    """
    if len(law.sizes) != 1:
        raise ValueError(f"a picture shows one size, and the law has {', '.join(law.sizes)}")
    panels = panels_of(ax, (1, 2), (9.6, 4.0))
    _draw_curves(panels[0], law)
    _draw_law(panels[1], law)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    return panels


def _draw_curves(ax: Axes, law: "LearningRateLaw") -> None:
    size = law.sizes[0]
    order = np.argsort([cell.sizes[size] for cell in law.cells])
    colors = mpl.colormaps[COLORMAP](np.linspace(0, LIGHTEST, len(order)))
    for color, index in zip(colors, order, strict=True):
        optimum, at = law.optima[index], law.cells[index].sizes[size]
        ax.plot(optimum.rates, _in_units(optimum, optimum.values), ".", color=color, markersize=5)
        if optimum.parabola is not None and not optimum.is_flat:
            low, high = optimum.parabola.ends
            grid = np.linspace(low, high, 60)
            fitted = _in_units(optimum, optimum.parabola(grid))
            ax.plot(2.0**grid, fitted, color=color, linewidth=1.4, label=f"{at:g}")
            height = _in_units(optimum, optimum.parabola(np.log2([optimum.rate])))
        else:
            drawn, height = _in_units(optimum, optimum.values), optimum.best_value
            ax.plot(optimum.rates, drawn, ":", color=color, linewidth=1.0, label=f"{at:g}")
        ax.plot(
            optimum.rate, height, "o" if optimum.is_reliable else "X", color=color,
            markersize=8, markeredgecolor="black", markeredgewidth=0.8, zorder=3,
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    if spans_decades(np.concatenate([_in_units(one, one.values) for one in law.optima])):
        ax.set_yscale("log")
        highest = HIGHEST * max(one.best_value for one in law.optima)
        ax.set_ylim(top=min(ax.get_ylim()[1], highest))
    ax.set(xlabel="learning rate", ylabel="loss")
    ax.legend(title=in_words(size), fontsize="small", frameon=False)


def _in_units(optimum: "Optimum", values: np.ndarray) -> np.ndarray:
    """Transform fitted values back into the units of the metric."""
    return {"log": np.exp, "identity": np.asarray, "negation": np.negative}[optimum.transform](
        values
    )


def _draw_law(ax: Axes, law: "LearningRateLaw") -> None:
    size = law.sizes[0]
    at = np.array([cell.sizes[size] for cell in law.cells])
    for value, optimum in zip(at, law.optima, strict=True):
        color = CURVE if optimum.is_reliable else DIVERGED
        low, high = _shown(optimum.interval, optimum.rates)
        ax.plot([value, value], [low, high], color=color, linewidth=1.4)
        ax.plot(value, optimum.rate, "o" if optimum.is_reliable else "X", color=color, markersize=6)
    if law.law is not None:
        _draw_band(ax, law, float(at.min()), float(at.max()))
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    _mark_sizes(ax, at)
    ax.set(xlabel=in_words(size), ylabel="best learning rate")


def _shown(interval: tuple[float, float], rates: np.ndarray) -> tuple[float, float]:
    """An interval whose open ends are replaced by the extreme rates that were tried."""
    low, high = interval
    return (low if low > 0 else rates[0]), (high if math.isfinite(high) else rates[-1])


def _draw_band(ax: Axes, law: "LearningRateLaw", low: float, high: float) -> None:
    size = law.sizes[0]
    grid = np.geomspace(low / BEYOND, high * BEYOND, 121)
    found = [law.predict(**{size: value}) for value in grid]
    values = np.array([one.value for one in found])
    inside = np.array([not one.is_extrapolated for one in found])
    bands = np.array([one.prediction_interval for one in found])
    assert law.law is not None
    exponent = label(law.law.exponents[size])
    ax.plot(
        grid[inside],
        values[inside],
        color="black",
        linewidth=1.2,
        label=f"power law, exponent {exponent}",
    )
    ax.fill_between(
        grid, bands[:, 0], bands[:, 1], color="0.5", alpha=0.18, linewidth=0,
        label=f"{law.confidence:.0%} for one more size",
    )  # fmt: skip
    fitted = law.law.ranges[size]
    for part, name in ((grid <= fitted[0], None), (grid >= fitted[1], "extrapolated")):
        ax.plot(grid[part], values[part], "--", color="black", linewidth=1.0, label=name)
    ax.legend(fontsize="small", frameon=False)


def _mark_sizes(ax: Axes, sizes: np.ndarray) -> None:
    """Put ticks at the trained sizes, as plain numbers."""
    ax.set_xticks(np.unique(sizes), [f"{value:g}" for value in np.unique(sizes)])
    ax.set_xticks([], minor=True)

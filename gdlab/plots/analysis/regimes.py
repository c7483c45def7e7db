"""The regimes of an optimizer (monotone, oscillating, divergent) over its hyperparameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm
from matplotlib.patheffects import withStroke
from scipy.ndimage import distance_transform_edt

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.core.representation import in_words
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import (
    COLORMAP,
    CURVE,
    DIVERGED,
    HATCH,
    SECOND,
    UNSTABLE,
    cells,
    set_spacing,
)
from gdlab.sweeps.results.spacing import SPACED, USUAL_DECAYS

LINES = {"monotone": (CURVE, "-"), "oscillating": (SECOND, "--"), "divergent": (DIVERGED, ":")}
RATE = "rate ρ of one step"
MAX_SHOWN_RATE = 1.25
"""The largest rate that is shown; beyond it a run only diverges faster."""
MAX_COLOR_START = 0.99
"""The upper bound on the lower end of the colour scale."""
MAX_COLOR_END = 0.9999
"""The upper bound on the upper end of the colour scale."""
LEAST_REGION = 0.01
"""The smallest share of a map at which a region is labelled with its name."""


@checked
def regimes(
    dims: Sequence[str],
    coords: Mapping[str, Any],
    rate: Any,
    regime: Any,
    ax: Ax = None,
) -> Axes:
    """Draw the rate of convergence over one hyperparameter as a curve, over two as a map.

    Args:
        dims: the names of the hyperparameters; the first of two is on the vertical axis.
        coords: name of a hyperparameter → its values, of shape ``(n,)``.
        rate: ρ, the factor by which the slowest mode shrinks in one step; one axis for each of
            ``dims``.
        regime: "monotone", "oscillating" or "divergent", in the shape of ``rate``.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: unless there are one or two hyperparameters, with two values at least.

    >>> from gdlab import plots
    >>> regime = ["monotone", "oscillating", "divergent"]
    >>> ax = plots.regimes(["η"], {"η": [0.5, 1.5, 2.5]}, [0.5, 0.5, 1.5], regime)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['monotone', 'oscillating', 'divergent']
    """
    if missing := [name for name in dims if name not in coords]:
        raise ValueError(f"coords: there are no values of {missing[0]!r}, one of dims")
    values = [real_numbers(f"coords: those of {name!r}", coords[name], ndim=1) for name in dims]
    if not 1 <= len(dims) <= 2 or any(len(along) < 2 for along in values):
        sizes = ", ".join(f"{name} has {len(x)}" for name, x in zip(dims, values, strict=True))
        raise ValueError(
            "dims: regimes are drawn over one or two hyperparameters of two values or more; "
            f"{sizes or 'there are none'}"
        )
    shape = tuple(map(len, values))
    for argument, array in (("rate", rate), ("regime", regime)):
        if np.shape(array) != shape:
            raise ValueError(f"{argument} must have the shape {shape}, not {np.shape(array)}")
    if unknown := {*np.ravel(regime).tolist()} - {*LINES}:
        raise ValueError(
            f"regime must be one of {', '.join(LINES)} at each point, not {min(unknown, key=str)!r}"
        )
    rate = real_numbers("rate", rate, least=0, finite=False)
    if ax is None:
        ax = figure_of((6.4, 4.4)).subplots()
    orders = np.ix_(*(np.argsort(along) for along in values))
    values = [np.sort(along) for along in values]
    rate, regime = rate[orders], np.asarray(regime)[orders]
    if len(dims) == 1:
        _curve(ax, values[0], rate, regime)
        ax.set(xlabel=in_words(dims[0]), ylabel=RATE)
    else:
        _map(ax, values[1], values[0], rate, regime)
        ax.set(xlabel=in_words(dims[1]), ylabel=in_words(dims[0]))
    return ax


def _curve(ax: Axes, x: np.ndarray, rate: np.ndarray, regime: np.ndarray) -> None:
    left, right = cells(x)
    unstable = np.concatenate([[False], regime == "divergent", [False]])
    edges = np.flatnonzero(unstable[1:] != unstable[:-1])
    for first, beyond in edges.reshape(-1, 2):
        ax.axvspan(
            float(left[first]), float(right[beyond - 1]), facecolor=UNSTABLE, edgecolor="0.65",
            hatch=HATCH, linewidth=0, zorder=0,
        )  # fmt: skip
    ax.axhline(1, color="black", linewidth=0.8)
    shown = np.minimum(rate, 10 * MAX_SHOWN_RATE)
    for name, (color, linestyle) in LINES.items():
        here = regime == name
        if here.any():
            # Include the point after the last, so that the pieces join.
            drawn = here | np.append(False, here[:-1])
            ax.plot(
                x, np.where(drawn, shown, np.nan), linestyle, color=color, linewidth=2, label=name
            )
    set_spacing(ax, "x", x)
    ax.set(xlim=(x[0], x[-1]), ylim=_shown_rates(rate))
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.2,
        fontsize="small",
    )  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)


def _shown_rates(rate: np.ndarray) -> tuple[float, float]:
    """The range of rates on the vertical axis: near 1 if all rates are, as with momentum."""
    stable = rate[rate < 1]
    depth = 1.25 * float(1 - np.min(stable, initial=1))
    return (0, MAX_SHOWN_RATE) if not 0 < depth < 0.5 else (1 - depth, 1 + depth / 2)


def _map(ax: Axes, x: np.ndarray, y: np.ndarray, rate: np.ndarray, regime: np.ndarray) -> None:
    set_spacing(ax, "x", x)
    set_spacing(ax, "y", y)
    ax.grid(visible=False)
    norm = _color_scale(rate)
    edges = [np.append(left, right[-1:]) for left, right in map(cells, (x, y))]
    ax.pcolormesh(*edges, np.minimum(rate, 1), cmap=COLORMAP, norm=norm, rasterized=True)
    unstable = regime == "divergent"
    # Rates far above 1 would distort the interpolated contour line ρ = 1.
    near = np.clip(rate, 0, 2)
    if unstable.any():
        beyond = ax.contourf(x, y, near, levels=[1, 3], colors=[UNSTABLE], hatches=[HATCH])
        beyond.set(edgecolor="0.65", linewidth=0)
    if unstable.any() and not unstable.all():
        limit = ax.contour(x, y, near, levels=[1], colors="black", linewidths=1.8)
        for text in ax.clabel(limit, fmt="ρ = 1", fontsize="small"):
            text.set_path_effects([withStroke(linewidth=3, foreground="white")])
    oscillates = np.ma.masked_where(unstable, (regime == "oscillating").astype(float))
    if oscillates.min() < oscillates.max():
        for color, linestyle, width in (("black", "-", 2.6), ("white", "--", 1.6)):
            ax.contour(
                x, y, oscillates, levels=[0.5], colors=color, linestyles=linestyle, linewidths=width
            )
    for name in LINES:
        _write(ax, x, y, regime == name, name)
    bar = ax.figure.colorbar(ScalarMappable(norm, COLORMAP), ax=ax, label=RATE, extend="max")
    ends = [float(norm.vmin), float(norm.vmax)]  # type: ignore[arg-type]
    ticks = [rate for rate in USUAL_DECAYS if ends[0] <= rate <= ends[1]]
    bar.set_ticks(ticks, labels=[f"{rate:g}" for rate in ticks])
    bar.minorticks_off()
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def _color_scale(rate: np.ndarray) -> FuncNorm:
    """The colour scale that spaces 0.9, 0.99 and 0.999 evenly, like the logarithm of the steps.

    It reaches from the lowest rate to the highest one below 1, but at least to a rate that takes
    ten times as many steps.
    """
    low = float(np.nanmin(rate, initial=MAX_COLOR_START))
    high = float(np.max(rate, initial=0, where=rate < 1))
    high = max(min(high, MAX_COLOR_END), 1 - (1 - low) / 10)
    return FuncNorm(SPACED["decay"], low, high)


def _write(ax: Axes, x: np.ndarray, y: np.ndarray, region: np.ndarray, name: str) -> None:
    """Write the name of a region where it is widest; a word needs more width than height."""
    if np.mean(region) < LEAST_REGION:
        return
    height, width = region.shape
    depth = np.asarray(distance_transform_edt(np.pad(region, 1), sampling=(3 / height, 1 / width)))
    row, column = np.unravel_index(np.argmax(depth[1:-1, 1:-1]), region.shape)
    ax.text(
        x[column], y[row], name, ha="center", va="center", fontsize="medium", zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )  # fmt: skip

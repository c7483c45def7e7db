"""Colours, scales and labels that all pictures share."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from gdlab.sweeps.results.spacing import SPACED, USUAL_DECAYS, spacing, spans_decades

# Okabe and Ito's palette, whose colours the colour-blind can distinguish, also in grey.
CURVE = "#0072B2"
DIVERGED = "#D55E00"
DIVERGED_TEXT = "#7A3300"
DIVERGED_TINT = "#F4D2BA"
MISSING = "0.82"
"""The colour of cells that were not run, or not to their end."""
COLORMAP = "viridis"
UNSTABLE = "0.82"
"""The grey of unstable regions, which are always hatched as well."""
HATCH = "///"
MARKERS = "o", "s", "^", "D", "v", "P", "*"
"""The markers of groups, in turn."""
LINESTYLES = "-", "--", "-.", ":"
SECOND = "#009E73"
"""The colour of a second curve."""
PALETTE = CURVE, DIVERGED, SECOND, "#CC79A7", "#E69F00", "#56B4E9", "#000000"
"""The colours of groups, in turn; markers or dashes always differ as well."""
NEGLIGIBLE_FRACTION = 1e-16
"""The fraction of the largest value below which all values have the same colour."""
LONGEST_NAME = 40
INVISIBLE = "\u200c"
"""A zero-width character to put before names with a leading _, which legends would omit."""
MARKERS_PER_LINE = 12
"""The approximate number of evenly spaced markers on a line."""


def line_style(number: int, points: int) -> dict[str, Any]:
    """The style of the line with this number among several lines.

    Lines differ in colour and marker, and from the eighth on in dashes.
    """
    return {
        "color": PALETTE[number % len(PALETTE)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINESTYLES[number // len(MARKERS) % len(LINESTYLES)],
        "markevery": max(1, points // MARKERS_PER_LINE),
        "linewidth": 1.5,
        "markersize": 4.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def set_spacing(ax: Axes, along: Literal["x", "y"], values: np.ndarray) -> None:
    """Give an axis the scale on which the values are evenly spaced; a few decays become ticks."""
    found = spacing(values)
    if found == "log":
        ax.set(**{f"{along}scale": "log"})
    elif found == "decay":
        set_scale = ax.set_xscale if along == "x" else ax.set_yscale
        set_scale("function", functions=SPACED["decay"])
        axis = ax.xaxis if along == "x" else ax.yaxis
        ends = np.min(values), np.max(values)
        usual = [beta for beta in USUAL_DECAYS if ends[0] <= beta <= ends[1]]
        at = values if len(values) <= len(USUAL_DECAYS) else usual
        axis.set_ticks(at, [f"{beta:.6g}" for beta in at])
        axis.set_minor_locator(NullLocator())


def tick_within_decades(axis: Axis) -> None:
    """Put ticks at 1, 2 and 5 of each decade of a logarithmic axis if there is room."""
    low, high = axis.get_view_interval()
    if high < 300 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def tick_whole_steps(axis: Axis, most: int | Literal["auto"] = "auto") -> None:
    """Put ticks at whole steps only, about ``most`` of them at most."""
    axis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))


def norm_of(values: np.ndarray) -> Normalize:
    """The colour scale of a metric, from all its finite values."""
    finite = values[np.isfinite(values)]
    ends = (np.min(finite), np.max(finite)) if finite.size else (0.0, 1.0)
    if spans_decades(finite):
        return LogNorm(max(ends[0], NEGLIGIBLE_FRACTION * ends[1]), ends[1])
    return Normalize(*ends)


def cells(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edges of cells around sorted values, halfway to the neighbours.

    Halfway is measured on the scale on which the values are evenly spaced.
    """
    if x[0] == x[-1]:
        return x - 0.5 * abs(x) - 1e-9, x + 0.5 * abs(x) + 1e-9
    forward, inverse = SPACED[spacing(x)]
    scaled = forward(x)
    middle = (scaled[1:] + scaled[:-1]) / 2
    ends = 2 * scaled[[0, -1]] - middle[[0, -1]]
    edges = inverse(np.concatenate([ends[:1], middle, ends[1:]]))
    return edges[:-1], edges[1:]


def legend_name(name: str) -> str:
    """A name shortened for a legend, and shown there even if it begins with _."""
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return f"{INVISIBLE}{short}" if short.startswith("_") else short


def label(value: Any) -> str:
    """A number with as many digits as fit on a tick."""
    return value if isinstance(value, str) else f"{value:.3g}".replace("-", "−")

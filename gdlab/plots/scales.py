"""What all pictures share: colours, scales and words."""

from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import LogLocator, NullFormatter

# From Okabe and Ito's palette, which the colour-blind can tell apart, also in grey.
CURVE = "#0072B2"
DIVERGED = "#D55E00"
DIVERGED_TEXT = "#7A3300"
DIVERGED_TINT = "#F4D2BA"
MISSING = "0.82"
"""The colour of what was not run, or not to its end."""
COLORMAP = "viridis"
UNSTABLE = "0.82"
"""The grey of what is unstable, always hatched."""
HATCH = "///"
MARKERS = "o", "s", "^", "D", "v", "P", "*"
"""A shape for each of some groups."""
LINESTYLES = "-", "--", "-.", ":"
SECOND = "#009E73"
"""A colour beside that of a curve."""
PALETTE = CURVE, DIVERGED, SECOND, "#CC79A7", "#E69F00", "#56B4E9", "#000000"
"""A colour for each of some groups, always with a marker or dashes of its own."""
MARKS = 12
"""Of a line, at equal numbers of steps."""


def line_style(number: int, points: int) -> dict[str, Any]:
    """How each of some lines is drawn.

    All differ in colour and in marker, and from the eighth on in dashes.
    """
    return {
        "color": PALETTE[number % len(PALETTE)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINESTYLES[number // len(MARKERS) % len(LINESTYLES)],
        "markevery": max(1, points // MARKS),
        "linewidth": 1.5,
        "markersize": 4.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def spans_decades(values: np.ndarray) -> bool:
    """Whether finite values ask for a logarithmic scale."""
    values = values[np.isfinite(values)]
    return values.size > 0 and np.min(values) > 0 and np.max(values) >= 10 * np.min(values)


def spaced_by_factors(values: np.ndarray) -> bool:
    """Whether sorted values stand more evenly on a logarithmic scale than on a linear one."""
    if not spans_decades(values):
        return False
    unevenness = [
        np.std(gaps) / np.mean(gaps) for gaps in (np.diff(np.log(values)), np.diff(values))
    ]
    return bool(unevenness[0] < unevenness[1])


def tick_within_decades(axis: Axis) -> None:
    """Numbers at 1, 2 and 5 of a logarithmic axis that has room for them."""
    low, high = axis.get_view_interval()
    if high < 300 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def norm_of(values: np.ndarray) -> Normalize:
    """The colour scale of a metric, from all its finite values."""
    finite = values[np.isfinite(values)]
    ends = (np.min(finite), np.max(finite)) if finite.size else (0.0, 1.0)
    return LogNorm(*ends) if spans_decades(finite) else Normalize(*ends)


def cells(x: np.ndarray, logarithmic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edge of the cell around each of sorted values, halfway to its neighbours."""
    if x[0] == x[-1]:
        return x - 0.5 * abs(x) - 1e-9, x + 0.5 * abs(x) + 1e-9
    scaled = np.log(x) if logarithmic else x
    middle = (scaled[1:] + scaled[:-1]) / 2
    ends = 2 * scaled[[0, -1]] - middle[[0, -1]]
    edges = np.concatenate([ends[:1], middle, ends[1:]])
    edges = np.exp(edges) if logarithmic else edges
    return edges[:-1], edges[1:]


def words(name: str) -> str:
    """A name as one would write it."""
    return name.replace("_", " ")


def label(value: Any) -> str:
    """A number with as many digits as a tick has room for."""
    return value if isinstance(value, str) else f"{value:.3g}".replace("-", "−")

"""The complex plane with the unit circle, which bounds the stable poles."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from gdlab.plots.scales import CURVE, DIVERGED

ON_THE_CIRCLE = 1e-9
"""The distance from the unit circle within which a pole counts as lying on it."""
MARGIN = 0.08
HEADROOM = 0.6
"""The height reserved for the legend above the plane, in inches."""


def inside(poles: np.ndarray) -> np.ndarray:
    """Return a mask of the poles that lie strictly inside the unit circle."""
    return np.abs(poles) < 1 - ON_THE_CIRCLE


def size_around(poles: np.ndarray, width: float) -> tuple[float, float]:
    """The size in inches of a figure that fits the unit circle and the poles at equal aspect."""
    finite = poles[np.isfinite(poles)]
    across, up = (
        np.ptp(np.append(part, [-1.0, 1.0])) for part in (np.real(finite), np.imag(finite))
    )
    return width, float(np.clip(width * up / across, 1.6, 1.3 * width)) + HEADROOM


def draw_unit_circle(ax: Axes) -> None:
    """Draw the unit disc and the real and imaginary axes, with a margin around them."""
    ax.add_patch(Circle((0, 0), 1, facecolor="0.95", edgecolor="0.5", linewidth=1, zorder=0))
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0.5)
    ax.axvline(0, color="0.7", linewidth=0.8, zorder=0.5)
    ax.grid(visible=False)
    ax.margins(MARGIN)
    ax.set_aspect("equal")


def draw_poles(
    ax: Axes, poles: np.ndarray, inner: str = "o", outer: str = "X"
) -> tuple[Line2D, Line2D]:
    """Draw poles inside the unit circle as filled blue markers, others with ``outer`` markers."""
    poles = np.ravel(poles)
    re, im, within = np.real(poles), np.imag(poles), inside(poles)
    (drawn_inside,) = ax.plot(
        re[within], im[within], inner, color=CURVE, markersize=6,
        markeredgecolor="white", markeredgewidth=0.6, zorder=3,
    )  # fmt: skip
    (drawn_outside,) = ax.plot(
        re[~within], im[~within], outer, color=DIVERGED, markersize=8,
        markerfacecolor="white" if outer == inner else DIVERGED,
        markeredgecolor=DIVERGED if outer == inner else "white",
        markeredgewidth=1.6 if outer == inner else 0.6, zorder=4,
    )  # fmt: skip
    return drawn_inside, drawn_outside

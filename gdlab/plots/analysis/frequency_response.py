"""The gain and the phase of a filter at each frequency."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import complex_numbers, real_numbers
from gdlab.plots.arguments import require_same_length
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import LINESTYLES, PALETTE, label, legend_name

PARTS_OF_A_TURN = 1, 1.5, 3, 4.5, 9, 10
MAX_ATTENUATION = 80.0
"""The largest attenuation that is drawn, in decibels below the largest gain."""

CURVES = "response"
"""The matplotlib id of the curves, by which those of earlier calls on the same axes are found."""


@checked
def frequency_response(frequency: Any, response: Any, ax: Ax = None) -> np.ndarray:
    """Draw gain in decibels and phase in degrees over the frequency: a Bode diagram.

    The lowest frequency at which the gain has fallen by 3 dB, to 1/√2 of that at the first
    frequency, is marked if there is one.

    Args:
        frequency: the frequencies in cycles per step, rising, up to ½. Frequency 0 is not on the
            logarithmic scale, but the gain there is the reference of the cutoff.
        response: the complex response H at each frequency; or name → H for several filters, which
            differ in colour and dashes.
        ax: two matplotlib axes, for gain and phase; new ones unless given. A filter that is drawn
            over others differs from them.

    Returns:
        The two matplotlib axes.

    Raises:
        ValueError: if there is no response.

    >>> import numpy as np
    >>> from gdlab import plots
    >>> frequency = np.linspace(0, 0.5, 1001)
    >>> response = 0.1 / (1 - 0.9 * np.exp(-2j * np.pi * frequency))
    >>> gain, phase = plots.frequency_response(frequency, response)
    >>> [text.get_text() for text in gain.get_legend().get_texts()]
    ['−3 dB at 0.0168 cycles per step']
    """
    named = response if isinstance(response, Mapping) else {"": response}
    if not named:
        raise ValueError("response must be one response or name → response, not an empty one")
    frequency = real_numbers("frequency", frequency, ndim=1, least=0, rising=True)
    if frequency[-1] == 0:
        raise ValueError("frequency must have one above 0, where the logarithmic scale begins")
    named = {
        name: np.ravel(complex_numbers("response", one, finite=False))
        for name, one in named.items()
    }
    for one in named.values():
        require_same_length("response", one, "frequency", frequency)
        if not np.isfinite(one).any():
            raise ValueError("response must be finite at one frequency at least")
    upper, lower = panels = panels_of(ax, (2, 1), (6.4, 4.6), sharex=True)
    for name, one in named.items():
        _draw_filter(upper, lower, frequency, one, str(name))
    if upper.get_legend_handles_labels()[1]:
        upper.legend(fontsize="small", frameon=False, loc="lower left")
    upper.set_xscale("log")
    lower.set_xscale("log")
    gains = [line.get_ydata() for line in upper.lines if line.get_gid() == CURVES]
    highest = np.nanmax(np.concatenate(gains), initial=-np.inf)
    if np.isfinite(highest) and np.nanmin(np.concatenate(gains)) < highest - MAX_ATTENUATION:
        upper.set_ylim(bottom=highest - MAX_ATTENUATION)
    lower.yaxis.set_major_locator(MaxNLocator(6, steps=PARTS_OF_A_TURN))
    upper.set(ylabel="gain (dB)", xlim=(frequency[frequency > 0][0], frequency[-1]))
    lower.set(ylabel="phase (degrees)", xlabel="frequency (cycles per step)")
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    return panels


def _draw_filter(
    upper: Any, lower: Any, frequency: np.ndarray, response: np.ndarray, name: str
) -> None:
    """Draw one filter, in the next colour and dashes of these axes, with its cutoff."""
    number = sum(line.get_gid() == CURVES for line in upper.lines)
    color, dashes = PALETTE[number % len(PALETTE)], LINESTYLES[number % len(LINESTYLES)]
    size = np.abs(response)
    with np.errstate(divide="ignore"):
        gain = 20 * np.log10(size)
    phase = np.degrees(np.unwrap(np.angle(response)))
    cutoff = _cutoff(frequency, size)
    text = f"−3 dB at {label(cutoff)} cycles per step" if np.isfinite(cutoff) else ""
    shown = frequency > 0
    for panel, values in ((upper, _finite(gain)), (lower, phase)):
        (line,) = panel.plot(frequency[shown], values[shown], dashes, color=color, linewidth=1.8)
        line.set_gid(CURVES)
        if np.isfinite(cutoff):
            panel.axvline(cutoff, color="0.6", linestyle=":", linewidth=1)
        if name and panel is upper:
            line.set_label(f"{legend_name(name)}, {text}" if text else legend_name(name))
    if np.isfinite(cutoff):
        level = 20 * np.log10(size[0] / np.sqrt(2))
        upper.axhline(level, color="0.6", linestyle=":", linewidth=1)
        (mark,) = upper.plot(
            cutoff, level, "D", color=color, markeredgecolor="black", markersize=6, zorder=3
        )
        if not name:
            mark.set_label(text)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _cutoff(frequency: np.ndarray, size: np.ndarray) -> float:
    """The lowest frequency at which the gain is 1/√2 of the first one, NaN if there is none."""
    level = size[0] / np.sqrt(2)
    below = np.flatnonzero(size < level)
    if not below.size:
        return np.nan
    ends = [below[0], below[0] - 1]
    return float(np.interp(level, size[ends], frequency[ends]))

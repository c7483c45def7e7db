"""The gain and the phase of a filter at each frequency."""

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from gdlab.core.checked import checked
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import CURVE, DIVERGED_TEXT, label

PARTS_OF_A_TURN = 1, 1.5, 3, 4.5, 9, 10
MAX_ATTENUATION = 80.0
"""The attenuation, in decibels below the largest gain, at which zeros of a filter are cut off."""


@checked
def frequency_response(frequency: Any, response: Any, ax: Any = None) -> np.ndarray:
    """Gain in decibels and phase in degrees against the frequency, as in a Bode diagram.

    The lowest frequency at which the gain has fallen by 3 dB, to 1/√2 of that at the first
    frequency, is marked if there is one.

    Args:
        frequency: in cycles per step, rising, up to ½; frequency 0 has no place on the logarithmic
            scale, but the gain there counts.
        response: H, complex, at each of them.
        ax: two matplotlib axes, for gain and phase; new ones unless given.

    Returns:
        The two matplotlib axes.

    >>> import numpy as np
    >>> from gdlab import plots
    >>> frequency = np.linspace(0, 0.5, 1001)
    >>> response = 0.1 / (1 - 0.9 * np.exp(-2j * np.pi * frequency))
    >>> gain, phase = plots.frequency_response(frequency, response)
    >>> [text.get_text() for text in gain.get_legend().get_texts()]
    ['−3 dB at 0.0168 cycles per step']
    """
    frequency, response = np.asarray(frequency, float), np.asarray(response, complex)
    upper, lower = panels = panels_of(ax, (2, 1), (6.4, 4.6), sharex=True)
    size = np.abs(response)
    with np.errstate(divide="ignore"):
        gain = 20 * np.log10(size)
    phase = np.degrees(np.unwrap(np.angle(response)))
    shown = frequency > 0
    upper.plot(frequency[shown], _finite(gain[shown]), color=CURVE, linewidth=1.8)
    lower.plot(frequency[shown], phase[shown], color=CURVE, linewidth=1.8)
    cutoff = _cutoff(frequency, size)
    if np.isfinite(cutoff):
        level = 20 * np.log10(size[0] / np.sqrt(2))
        upper.axhline(level, color="0.6", linestyle=":", linewidth=1)
        upper.plot(
            cutoff, level, "D", color=DIVERGED_TEXT, markersize=6, zorder=3,
            label=f"−3 dB at {label(cutoff)} cycles per step",
        )  # fmt: skip
        lower.axvline(cutoff, color="0.6", linestyle=":", linewidth=1)
        upper.axvline(cutoff, color="0.6", linestyle=":", linewidth=1)
        upper.legend(fontsize="small", frameon=False, loc="lower left")
    upper.set_xscale("log")
    lower.set_xscale("log")
    lowest, highest = np.min(_finite(gain), initial=0, where=np.isfinite(gain)), np.max(gain)
    if np.isfinite(highest) and lowest < highest - MAX_ATTENUATION:
        upper.set_ylim(bottom=highest - MAX_ATTENUATION)
    lower.yaxis.set_major_locator(MaxNLocator(6, steps=PARTS_OF_A_TURN))
    upper.set(ylabel="gain (dB)", xlim=(frequency[shown][0], frequency[-1]))
    lower.set(ylabel="phase (degrees)", xlabel="frequency (cycles per step)")
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    return panels


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

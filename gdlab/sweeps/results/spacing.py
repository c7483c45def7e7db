"""The scale on which the values of an axis are evenly spaced: linear, log or decay."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

Spacing = Literal["linear", "log", "decay"]
SPACED: dict[Spacing, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "linear": (np.asarray, np.asarray),
    "log": (np.log10, lambda power: 10.0**power),
    "decay": (
        lambda beta: -np.log10(np.maximum(1 - np.asarray(beta), np.finfo(float).tiny)),
        lambda nines: 1 - 10.0 ** -np.asarray(nines),
    ),
}
"""The functions from values to their positions on each scale, and back."""
USUAL_DECAYS = 0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999
"""The usual values of decays, used as ticks."""


def spans_decades(values: np.ndarray) -> bool:
    """Tell whether finite values ask for a logarithmic scale."""
    values = values[np.isfinite(values)]
    return values.size > 0 and np.min(values) > 0 and np.max(values) >= 10 * np.min(values)


def spacing(values: np.ndarray) -> Spacing:
    """The scale on which sorted values are evenly spaced.

    It is "linear", "log", or "decay", −log₁₀(1 − β), for values such as 0.9, 0.99 and 0.999.
    """
    finite = values[np.isfinite(values)]
    if _spaced_by_factors(finite):
        return "log"
    if finite.size and np.min(finite) >= 0 and _spaced_by_factors(1 - finite[::-1]):
        return "decay"
    return "linear"


def _spaced_by_factors(values: np.ndarray) -> bool:
    """Tell whether a logarithmic scale spaces sorted values more evenly than a linear one."""
    if not spans_decades(values):
        return False
    unevenness = [
        np.std(gaps) / np.mean(gaps) for gaps in (np.diff(np.log(values)), np.diff(values))
    ]
    return bool(unevenness[0] <= unevenness[1])  # two values are even on both scales

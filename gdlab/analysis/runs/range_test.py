"""Robust features of the loss curve of a learning-rate range test.

Arrays have one row for each learning rate, in ascending order, and results are positions among
the rows. Everything is computed from medians and from differences along the rates, so that an
accident in one or two lanes has no influence.
"""

from typing import NamedTuple

import numpy as np

WINDOW = 5
"""The number of neighbouring rates in a moving median."""
MAX_ACCIDENT_LENGTH = WINDOW // 2
"""The largest number of neighbouring rates that the moving median ignores."""
MIN_RELATIVE_FALL = 0.01
"""The smallest decrease that counts as a fall, as a fraction of the total decrease."""


class Curve(NamedTuple):
    """The loss at the end of a short training, over the learning rates."""

    values: np.ndarray
    """The loss of each rate, ∞ where it diverged, NaN where it diverged by accident."""
    smooth: np.ndarray
    """The medians of neighbouring values."""
    noise: np.ndarray
    """The uncertainty of each value: two standard errors."""


def accidents(diverged: np.ndarray) -> np.ndarray:
    """The mask of the rates that diverged by accident, below the end of stability.

    Stability ends with the first run of diverged rates that is longer than ``MAX_ACCIDENT_LENGTH``
    or reaches the highest rate; shorter runs before it are accidents.
    """
    found = np.zeros_like(diverged)
    changes = np.flatnonzero(np.diff(diverged, prepend=False, append=False))
    for begin, end in zip(changes[::2], changes[1::2], strict=True):
        if end - begin > MAX_ACCIDENT_LENGTH or end == len(diverged):
            break
        found[begin:end] = True
    return found


def curve(losses: np.ndarray, passed_over: np.ndarray) -> Curve:
    """Compute the loss curve from the recorded losses.

    The loss of a lane is the median of its last quarter, which a spike at the beginning does not
    reach; that of a rate is the median of its seeds.

    Args:
        losses: the loss of each lane at each step, NaN after divergence, of shape (rates, seeds,
            steps).
        passed_over: the mask of the rates that are accidents, of shape (rates,).
    """
    end = losses[..., -max(2, losses.shape[-1] // 4) :]
    lost = np.any(np.isnan(end), axis=-1)
    end = np.where(lost[..., None], np.inf, end)
    values = np.median(np.median(end, axis=-1), axis=-1)
    values = np.where(passed_over, np.nan, values)
    return Curve(values, _running_median(values), _two_standard_errors(end))


def valley(curve: np.ndarray, least: float) -> int:
    """The middle of the longest fall: the longest series of rates with ever smaller losses.

    Args:
        curve: the losses, finite.
        least: the smallest decrease from one rate to the next that counts.
    """
    length = np.ones(len(curve), int)
    begin = np.arange(len(curve))
    for i in range(len(curve)):
        above = np.flatnonzero(curve[:i] >= curve[i] + least)
        if above.size:
            # The last of the longest series, since a flat beginning belongs to no fall.
            best = above[length[above] == length[above].max()][-1]
            length[i], begin[i] = length[best] + 1, begin[best]
    end = int(np.argmax(length))
    return int(begin[end] + end) // 2


def steepest(curve: np.ndarray) -> int:
    """The position of the steepest fall, by slopes of lines fitted to neighbouring values.

    Args:
        curve: the losses, finite, at rates with even ratios.
    """
    offsets = np.arange(WINDOW) - MAX_ACCIDENT_LENGTH
    around = np.pad(curve, MAX_ACCIDENT_LENGTH, mode="edge")
    return int(np.argmin(np.correlate(around, offsets.astype(float), "valid")))


def minimum(curve: np.ndarray, noise: float) -> tuple[int, int]:
    """The first and last rate around the smallest loss whose losses equal it within noise.

    Args:
        curve: the losses.
        noise: the largest difference that counts as noise.
    """
    best = int(np.argmin(curve))
    outside = np.flatnonzero(curve > curve[best] + noise)
    first = max(outside[outside < best], default=-1) + 1
    last = min(outside[outside > best], default=len(curve)) - 1
    return int(first), int(last)


def _running_median(values: np.ndarray) -> np.ndarray:
    """The running median over ``WINDOW`` values; at either end, that of the outermost window."""
    inner = np.nanmedian(np.lib.stride_tricks.sliding_window_view(values, WINDOW), axis=-1)
    return np.pad(inner, MAX_ACCIDENT_LENGTH, mode="edge")


def _two_standard_errors(end: np.ndarray) -> np.ndarray:
    """Two standard errors of the median of the last losses of each rate.

    The noise is estimated from differences between successive steps, in which the trend of a lane
    cancels. For normal noise of standard deviation σ the median of their moduli is 0.954 σ, and
    the standard error of a median of n values is 1.25 σ/√n.
    """
    finite = np.where(np.isfinite(end), end, 0.0)
    deviation = np.median(np.abs(np.diff(finite)), axis=-1) / 0.954
    return 2 * 1.25 * np.median(deviation, axis=-1) / np.sqrt(end.shape[-1] * end.shape[-2])

"""What the losses of a range test tell: losses by learning rate in, positions among them out.

One learning rate in each row, from the lowest up. Everything here is made of medians and of
differences along the rates, so that what one or two lanes did by accident does not count.
"""

from typing import NamedTuple

import numpy as np

WINDOW = 5
"""How many neighbouring rates are smoothed together."""
ACCIDENT = WINDOW // 2
"""How many neighbouring rates a median of the window does not follow."""
LEAST_FALL = 0.01
"""What counts as a fall, as a part of the whole one."""


class Curve(NamedTuple):
    """The loss at the end of a short training, over the learning rates."""

    values: np.ndarray
    """Of each rate, ∞ where it diverged, NaN where it did so by accident."""
    smooth: np.ndarray
    """The medians of neighbouring values."""
    noise: np.ndarray
    """By how much each value may be off: two standard errors."""


def accidents(diverged: np.ndarray) -> np.ndarray:
    """Which rates diverged below the end of stability, of a length that no median follows.

    Stability ends with the first stretch that is longer, or reaches the highest rate.
    """
    found = np.zeros_like(diverged)
    changes = np.flatnonzero(np.diff(diverged, prepend=False, append=False))
    for begin, end in zip(changes[::2], changes[1::2], strict=True):
        if end - begin > ACCIDENT or end == len(diverged):
            break
        found[begin:end] = True
    return found


def curve(losses: np.ndarray, passed_over: np.ndarray) -> Curve:
    """The curve of what was recorded.

    The loss of a lane is the median of its last quarter, which a spike at the beginning does not
    reach; that of a rate is the median of its seeds.

    Args:
        losses: the loss of each lane at each step, NaN once it diverged: rate × seed × step.
        passed_over: which rates are accidents.
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
        least: by how much each has to be below the one before.
    """
    length = np.ones(len(curve), int)
    begin = np.arange(len(curve))
    for i in range(len(curve)):
        above = np.flatnonzero(curve[:i] >= curve[i] + least)
        if above.size:
            # The last of the longest: a fall does not begin until the loss moves.
            best = above[length[above] == length[above].max()][-1]
            length[i], begin[i] = length[best] + 1, begin[best]
    end = int(np.argmax(length))
    return int(begin[end] + end) // 2


def steepest(curve: np.ndarray) -> int:
    """Where the loss falls fastest, by the slopes of lines through neighbouring values.

    Args:
        curve: the losses, finite, at rates with even ratios.
    """
    offsets = np.arange(WINDOW) - ACCIDENT
    around = np.pad(curve, ACCIDENT, mode="edge")
    return int(np.argmin(np.correlate(around, offsets.astype(float), "valid")))


def minimum(curve: np.ndarray, noise: float) -> tuple[int, int]:
    """The first and the last of the rates around the smallest loss that cannot be told from it.

    Args:
        curve: the losses.
        noise: how much of a difference means nothing.
    """
    best = int(np.argmin(curve))
    outside = np.flatnonzero(curve > curve[best] + noise)
    first = max(outside[outside < best], default=-1) + 1
    last = min(outside[outside > best], default=len(curve)) - 1
    return int(first), int(last)


def _running_median(values: np.ndarray) -> np.ndarray:
    """The median of each value and its neighbours; that of the outermost five holds at an end."""
    inner = np.nanmedian(np.lib.stride_tricks.sliding_window_view(values, WINDOW), axis=-1)
    return np.pad(inner, ACCIDENT, mode="edge")


def _two_standard_errors(end: np.ndarray) -> np.ndarray:
    """Of the median, from differences between steps, in which the trend of a lane cancels.

    Of normal noise the median of their moduli is 0.954 of its standard deviation, and that of a
    median of n values is 1.25/√n of it.
    """
    finite = np.where(np.isfinite(end), end, 0.0)
    deviation = np.median(np.abs(np.diff(finite)), axis=-1) / 0.954
    return 2 * 1.25 * np.median(deviation, axis=-1) / np.sqrt(end.shape[-1] * end.shape[-2])

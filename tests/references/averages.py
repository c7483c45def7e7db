"""Exponential averages of a sequence, which the methods are made of."""

import numpy as np


def ema(values: np.ndarray, *, decay: float, initial: float = 0.0) -> np.ndarray:
    """aₜ = β aₜ₋₁ + (1 − β) xₜ, started at ``initial``: at zero, or at the first value itself."""
    average, path = initial, []
    for x in np.asarray(values, np.float64):
        average = decay * average + (1 - decay) * x
        path.append(average)
    return np.stack(path)


def debiased_ema(values: np.ndarray, *, decay: float) -> np.ndarray:
    """The average from zero over 1 − βᵗ, the sum of its weights (Kingma and Ba 2015, section 3)."""
    t = np.arange(1, len(values) + 1)
    averages = ema(values, decay=decay)
    return (averages.T / (1 - decay**t)).T

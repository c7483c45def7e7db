"""Unbounded coordinates for hyperparameters with bounds, for an unconstrained descent."""

import math
from typing import NamedTuple

import numpy as np


class Coordinate(NamedTuple):
    """The change of variables between a hyperparameter θ in (low, high) and a real number x.

    θ = low + eˣ with a lower bound alone, θ = high − e⁻ˣ with an upper bound alone,
    θ = low + (high − low)/(1 + e⁻ˣ) with both, and θ = unit · x with neither.
    """

    name: str
    low: float = -math.inf
    high: float = math.inf
    unit: float = 1.0
    """The change of a hyperparameter without bounds that a unit of x stands for."""

    def contains(self, values: np.ndarray) -> np.ndarray:
        """Tell which values lie strictly between the bounds."""
        return (self.low < values) & (values < self.high)

    def real(self, value: float) -> float:
        """The real number x of a value between the bounds."""
        above, below = value - self.low, self.high - value
        if math.isfinite(above) and math.isfinite(below):
            return math.log(above / below)
        if math.isfinite(above):
            return math.log(above)
        return -math.log(below) if math.isfinite(below) else value / self.unit

    def value(self, x: np.ndarray) -> np.ndarray:
        """The hyperparameter θ at real numbers x of any shape."""
        with np.errstate(over="ignore"):
            if math.isfinite(self.low) and math.isfinite(self.high):
                # The distance is computed from the nearer bound, without cancellation.
                part = (self.high - self.low) / (1 + np.exp(np.abs(x)))
                return np.where(x < 0, self.low + part, self.high - part)
            if math.isfinite(self.low):
                return self.low + np.exp(x)
            return self.high - np.exp(-x) if math.isfinite(self.high) else self.unit * x

    def slope(self, x: np.ndarray) -> np.ndarray:
        """The derivative dθ/dx."""
        with np.errstate(over="ignore"):
            if math.isfinite(self.low) and math.isfinite(self.high):
                return (self.high - self.low) / (2 + np.exp(x) + np.exp(-x))
            if math.isfinite(self.low):
                return np.exp(x)
            return np.exp(-x) if math.isfinite(self.high) else np.full_like(x, self.unit)

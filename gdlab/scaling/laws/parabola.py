"""A parabola fitted to the curves of several seeds, with the covariance of its coefficients."""

import dataclasses

import numpy as np

from gdlab.scaling.laws.fieller import Interval, vertex_interval

FEWEST_SEEDS = 3
"""The smallest number of seeds from whose separate parabolas the uncertainty is estimated."""
SIGNIFICANCE = 0.05
"""The level of the test that the parabola fits the means over the seeds."""


@dataclasses.dataclass(frozen=True)
class Coefficients:
    """The covariance of the linear and the square coefficient, and its degrees of freedom."""

    covariance: np.ndarray
    degrees: float


@dataclasses.dataclass(frozen=True)
class Parabola:
    """The least-squares parabola a + b·(u − ū) + c·(u − ū)² of u = log₂ η."""

    centre: float
    """The mean ū of the logarithms."""
    constant: float
    linear: float
    square: float
    uncertainties: tuple[Coefficients, ...]
    """The estimates of the covariance: from residuals, and from differences between seeds if
    enough."""
    ends: Interval
    """The lowest and the highest fitted logarithm of a rate."""

    @property
    def vertex(self) -> float:
        """The logarithm at which the parabola is smallest, if it is curved upwards."""
        return self.centre - self.linear / (2 * self.square)

    def vertex_interval(self, confidence: float) -> Interval:
        """The confidence interval of the vertex: the union over all ``uncertainties``."""
        from scipy.stats import t

        found = []
        for each in self.uncertainties:
            quantile = float(t.ppf((1 + confidence) / 2, each.degrees))
            found.append(vertex_interval(self.linear, self.square, each.covariance, quantile))
        low, high = min(low for low, _ in found), max(high for _, high in found)
        return self.centre + low, self.centre + high

    def __call__(self, log_rates: np.ndarray) -> np.ndarray:
        """The values of the parabola."""
        u = log_rates - self.centre
        return self.constant + self.linear * u + self.square * u**2


def fitted_parabola(log_rates: np.ndarray, values: np.ndarray) -> Parabola | None:
    """The parabola through the means over the seeds; None with too few values to estimate errors.

    Args:
        log_rates: the logarithms of the rates, of shape ``(n,)``.
        values: the transformed losses, of shape ``(n, seeds)``.
    """
    points, seeds = values.shape
    if points < 3 or points * seeds < 4:
        return None
    centre = float(np.mean(log_rates))
    u = log_rates - centre
    design = np.stack([np.ones(points), u, u**2], axis=1)
    by_seed = np.linalg.lstsq(design, values, rcond=None)[0]
    constant, linear, square = (float(number) for number in by_seed.mean(axis=1))
    uncertainties = [_from_residuals(design, values, by_seed.mean(axis=1))]
    if seeds >= FEWEST_SEEDS:
        between = np.cov(by_seed[1:]) / seeds
        uncertainties.append(Coefficients(between, seeds - 1))
    ends = float(log_rates[0]), float(log_rates[-1])
    return Parabola(centre, constant, linear, square, tuple(uncertainties), ends)


def _from_residuals(
    design: np.ndarray, values: np.ndarray, coefficients: np.ndarray
) -> Coefficients:
    """The covariance for independent errors, apart from a common offset of each seed.

    If the means deviate from the parabola by more than the seeds differ, the lack of fit determines
    the uncertainty.
    """
    from scipy.stats import f

    points, seeds = values.shape
    means = values.mean(axis=1)
    of_fit = seeds * float(np.sum((means - design @ coefficients) ** 2))
    interaction = values - means[:, None] - values.mean(axis=0) + values.mean()
    of_seeds = float(np.sum(interaction**2))
    degrees_of_fit, degrees_of_seeds = points - 3, (points - 1) * (seeds - 1)
    degrees = degrees_of_fit + degrees_of_seeds
    variance = (of_fit + of_seeds) / degrees
    if degrees_of_fit and degrees_of_seeds:
        bound = f.ppf(1 - SIGNIFICANCE, degrees_of_fit, degrees_of_seeds)
        if of_fit / degrees_of_fit > bound * of_seeds / degrees_of_seeds:
            variance, degrees = of_fit / degrees_of_fit, degrees_of_fit
    covariance = variance / seeds * np.linalg.inv(design.T @ design)[1:, 1:]
    return Coefficients(covariance, degrees)

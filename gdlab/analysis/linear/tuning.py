"""The rate of convergence between two curvatures, and the hyperparameters that optimise it."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from gdlab.analysis.linear.arguments import positive_curvature
from gdlab.analysis.linear.precision import in_float64
from gdlab.analysis.linear.radius import spectral_radii
from gdlab.analysis.linear.setting import (
    Setting,
    closed_loops,
    matrices_at,
    periodic_setting,
    require_same_period,
)
from gdlab.analysis.linear.stability import only_number
from gdlab.checks.checked import checked
from gdlab.core.transformation import GradientTransformation

CURVATURES = 17
"""The number of curvatures from μ to L; the slowest mode may lie strictly between them."""
POINTS = {1: 201, 2: 31, 3: 13}
"""The number of hyperparameters → the number of values of each in one round of the search."""
ROUNDS = 24


@checked
@in_float64
def rate(tx: GradientTransformation, mu: float, L: float, *, gradient_rms: float = 1.0) -> float:
    """The asymptotic factor by which the error shrinks per step, on curvatures from μ to L.

    ρ is the maximum over λ ∈ [μ, L] of the spectral radius of :func:`linearize`, which is per step
    even for methods with a period.

    Args:
        tx: the transformation.
        mu: μ > 0, the smallest curvature.
        L: the largest curvature.
        gradient_rms: as for :func:`linearize`.

    Raises:
        ValueError: unless 0 < μ ≤ L, or if ``tx`` cannot be linearised.

    >>> from gdlab import sgd
    >>> from gdlab.analysis import rate
    >>> round(rate(sgd(2 / 101), mu=1.0, L=100.0), 6)  # (κ − 1)/(κ + 1)
    0.980198
    """
    setting = _between(tx, mu, L, gradient_rms)
    radius = np.max(spectral_radii(closed_loops(setting).A))
    return float(radius ** (1 / setting.period.length))


@checked
@in_float64
def best_hyperparameters(
    tx: GradientTransformation,
    mu: float,
    L: float,
    over: Sequence[str] = ("learning_rate", "momentum"),
    *,
    gradient_rms: float = 1.0,
) -> dict[str, float]:
    """The hyperparameters with which ``tx`` converges fastest on curvatures from μ to L.

    They minimise :func:`rate`, by a grid search that is refined repeatedly around the best point.

    Args:
        tx: the transformation, whose other hyperparameters are kept.
        mu: μ > 0, the smallest curvature.
        L: the largest curvature.
        over: up to three hyperparameters, by the ends of their paths. With three, the best rate is
            often attained along a whole curve of values.
        gradient_rms: as for :func:`linearize`.

    Returns:
        Name → value, as :func:`gdlab.set_hyperparameters` takes it.

    Raises:
        ValueError: unless 0 < μ ≤ L; if no tried value converges; if ``tx`` cannot be linearised.
        KeyError: if there is no such hyperparameter.

    >>> from gdlab import set_hyperparameters, sgd
    >>> from gdlab.analysis import best_hyperparameters
    >>> best = best_hyperparameters(sgd(0.1, momentum=0.5), mu=1.0, L=9.0)
    >>> {name: round(value, 6) for name, value in best.items()}  # Polyak: 4/16 and (2/4)²
    {'learning_rate': 0.25, 'momentum': 0.25}
    >>> tuned = set_hyperparameters(sgd(0.1, momentum=0.5), best)

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964;
    L. Lessard, B. Recht, A. Packard, Analysis and design of optimization algorithms via integral
    quadratic constraints, 2016, table 1.
    """
    names = tuple(over)
    if len(names) not in POINTS:
        raise ValueError(f"over names one to {max(POINTS)} hyperparameters, not {len(names)}")
    setting = _between(tx, mu, L, gradient_rms)
    for name in names:
        only_number(setting.tx, name)
    count = POINTS[len(names)]
    windows = [(-14.0, 7.0)] * len(names)  # logarithms of 10⁻⁶ to 10³, in units of 1/L
    scales = [_Scale(setting, name, names, 1 / L) for name in names]
    ends = np.array(list(itertools.product(*windows)))
    require_same_period(setting, names, _values(scales, ends))
    best: tuple[float, np.ndarray] = (np.inf, np.zeros(len(names)))
    for _ in range(ROUNDS):
        axes = [np.linspace(*window, count) for window in windows]
        points = np.array(list(itertools.product(*axes)))
        radii = _rates(setting, names, _values(scales, points))
        first = int(np.argmin(radii))
        if radii[first] < best[0]:
            best = radii[first], points[first]
        steps = [(high - low) / (count - 1) for low, high in windows]
        around = zip(best[1], steps, strict=True)
        windows = [(centre - 4 * step, centre + 4 * step) for centre, step in around]
    if not best[0] < 1:
        raise ValueError(
            f"{setting.name} converges on curvatures from {mu:g} to {L:g} for no values of "
            f"{', '.join(names)} that were tried"
        )
    return {
        name: float(scale.value(at)) for name, scale, at in zip(names, scales, best[1], strict=True)
    }


class _Scale:
    """The scale on which a hyperparameter is searched.

    A hyperparameter with which no value above 1 converges is searched between 0 and 1, on a
    logistic scale; any other one is searched on a logarithmic scale.
    """

    def __init__(self, setting: Setting, name: str, names: tuple[str, ...], unit: float):
        others = [other for other in names if other != name]
        grid = np.geomspace(1e-9, 1e3, 49) * unit
        values = np.stack([np.full_like(grid, 1.001)] + [grid] * len(others), 1)
        # A decay above 1 is itself an unstable pole, whatever the learning rate.
        self.decays = bool(np.all(_rates(setting, (name, *others), values) >= 1))
        self.unit = unit

    def value(self, at: Any) -> Any:
        return 1 / (1 + np.exp(-at)) if self.decays else self.unit * np.exp(at)


def _values(scales: list[_Scale], points: np.ndarray) -> np.ndarray:
    """The hyperparameters at points of the search, of shape (N, len(scales))."""
    return np.stack([scale.value(points[:, i]) for i, scale in enumerate(scales)], 1)


def _rates(setting: Setting, names: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """The spectral radius over a period at each setting, ∞ where it is not finite."""
    return np.max(spectral_radii(matrices_at(setting, names, values)), axis=1)


def _between(tx: Any, mu: float, L: float, gradient_rms: float) -> Setting:
    if not 0 < mu <= L < np.inf:
        raise ValueError(f"curvatures must rise, 0 < mu ≤ L, not {mu:g}, {L:g}")
    curvatures = positive_curvature(np.unique(np.geomspace(mu, L, CURVATURES)))
    curvatures[[0, -1]] = mu, L  # exactly, without rounding
    return periodic_setting(tx, curvatures, gradient_rms=gradient_rms)

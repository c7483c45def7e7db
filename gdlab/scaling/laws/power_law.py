"""Power laws of several sizes, with confidence and prediction intervals."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Name
from gdlab.checks.values import real_numbers
from gdlab.scaling.laws.fieller import Confidence, Interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The value of a power law at one combination of sizes."""

    value: float
    interval: Interval
    """The confidence interval of the law at these sizes."""
    prediction_interval: Interval
    """The prediction interval for one more measurement at these sizes."""
    is_extrapolated: bool
    """True if a size lies outside of the fitted range."""

    def __repr__(self) -> str:
        low, high = self.prediction_interval
        kind = ", extrapolated" if self.is_extrapolated else ""
        return f"<Prediction {self.value:.3g} ({low:.3g} to {high:.3g}{kind})>"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """A power law value = scale · Π (sizeⱼ/referenceⱼ)^pⱼ; made by :func:`fit_power_law`."""

    exponents: dict[str, float]
    """The exponent p of each size."""
    intervals: dict[str, Interval]
    """The confidence interval of each exponent."""
    references: dict[str, float]
    """The reference of each size, its geometric mean."""
    scale: float
    """The value at the references."""
    ranges: dict[str, Interval]
    """The smallest and the largest fitted value of each size."""
    coefficients: np.ndarray
    """The coefficients of the regression: log₂ scale, then the exponents."""
    covariance: np.ndarray
    """The covariance of the coefficients."""
    variance: float
    """The variance of log₂ of one more measurement around the law."""
    quantile: float
    """The quantile of Student's t or of the normal distribution for all intervals."""
    confidence: float

    def predict(self, **sizes: float) -> Prediction:
        """The value at some sizes, with intervals.

        Args:
            **sizes: a value for each fitted size.

        Raises:
            ValueError: if a size is missing, unknown or not positive.
        """
        if set(sizes) != set(self.exponents):
            raise ValueError(f"the law needs the sizes {list(self.exponents)}, not {list(sizes)}")
        for name, size in sizes.items():
            if not real_numbers(f"the size {name!r}", size, ndim=0) > 0:
                raise ValueError(f"the size {name!r} must be positive, not {size}")
        row = np.array(
            [1.0, *(math.log2(sizes[name] / self.references[name]) for name in self.exponents)]
        )
        middle, of_law = float(row @ self.coefficients), float(row @ self.covariance @ row)
        outside = [
            not low * (1 - 1e-9) <= sizes[name] <= high * (1 + 1e-9)
            for name, (low, high) in self.ranges.items()
        ]
        return Prediction(
            value=2.0**middle,
            interval=self._around(middle, of_law),
            prediction_interval=self._around(middle, of_law + self.variance),
            is_extrapolated=any(outside),
        )

    def _around(self, middle: float, variance: float) -> Interval:
        half = self.quantile * math.sqrt(variance)
        return 2.0 ** (middle - half), 2.0 ** (middle + half)

    def __repr__(self) -> str:
        powers = " · ".join(
            f"({name}/{self.references[name]:.4g})^{exponent:.3f}"
            f" [{self.intervals[name][0]:.3f}, {self.intervals[name][1]:.3f}]"
            for name, exponent in self.exponents.items()
        )
        return f"<PowerLaw {self.scale:.3g} · {powers}>"


@checked
def fit_power_law(
    sizes: Mapping[Name, ArrayLike],
    values: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    confidence: Confidence = 0.95,
) -> PowerLaw:
    """Fit a power law by weighted least squares in logarithms.

    log₂ y = a + Σⱼ pⱼ·log₂(nⱼ/n̄ⱼ) + error

    With ``errors`` the weights are their inverse squares, and if χ² per degree of freedom exceeds
    1, all variances are multiplied by it. Without ``errors`` the variances come from the residuals
    alone, as in an ordinary regression.

    Args:
        sizes: name → sizes, each of shape ``(cells,)``.
        values: y, of shape ``(cells,)``.
        errors: the standard errors of log₂ y, of shape ``(cells,)``; optional if there are more
            cells than coefficients.
        confidence: the confidence of all intervals.

    Raises:
        ValueError: if there are too few cells, sizes that do not vary independently, or values that
            are not positive.

    >>> from gdlab.scaling import fit_power_law
    >>> law = fit_power_law({"width": [1.0, 2.0, 4.0]}, [8.0, 4.0, 2.0])
    >>> round(law.exponents["width"], 6), law.predict(width=8).is_extrapolated
    (-1.0, True)
    """
    names = list(sizes)
    if not names:
        raise ValueError("sizes must name one size at least, not none")
    columns = [real_numbers(f"sizes of {name!r}", sizes[name], ndim=1) for name in names]
    values = real_numbers("values", values, ndim=1)
    for name, column in zip(names, columns, strict=True):
        if len(column) != len(values):
            raise ValueError(
                f"sizes of {name!r} must be one for each of the {len(values)} values, not "
                f"{len(column)}"
            )
    table = np.stack(columns, axis=1)
    if not (np.all(table > 0) and np.all(values > 0)):
        raise ValueError("sizes and values of a power law must be positive")
    logs = np.log2(table)
    centre = logs.mean(axis=0)
    design = np.concatenate([np.ones((len(values), 1)), logs - centre], axis=1)
    _require_determined(design, names, errors is not None)
    weights = np.ones(len(values)) if errors is None else np.asarray(errors, float) ** -2.0
    coefficients, covariance, variance, quantile = _weighted(
        design, np.log2(values), weights, errors is not None, confidence
    )
    halves = quantile * np.sqrt(np.diag(covariance))[1:]
    exponents = coefficients[1:]
    return PowerLaw(
        exponents=dict(zip(names, exponents.tolist(), strict=True)),
        intervals=_by_name(names, exponents - halves, exponents + halves),
        references=dict(zip(names, (2.0**centre).tolist(), strict=True)),
        scale=2.0 ** float(coefficients[0]),
        ranges=_by_name(names, table.min(axis=0), table.max(axis=0)),
        coefficients=coefficients,
        covariance=covariance,
        variance=variance,
        quantile=quantile,
        confidence=confidence,
    )


def _by_name(names: Sequence[str], low: np.ndarray, high: np.ndarray) -> dict[str, Interval]:
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def _require_determined(design: np.ndarray, names: list[str], has_errors: bool) -> None:
    cells, unknowns = design.shape
    least = unknowns if has_errors else unknowns + 1
    if cells < least:
        raise ValueError(f"sizes: a law of {', '.join(names)} needs {least} cells, not {cells}")
    if np.linalg.matrix_rank(design) < unknowns:
        raise ValueError(f"the sizes {', '.join(names)} do not vary independently of each other")


def _weighted(
    design: np.ndarray, values: np.ndarray, weights: np.ndarray, are_known: bool, confidence: float
) -> tuple[np.ndarray, np.ndarray, float, Any]:
    """Coefficients, their covariance, the variance of one more value, and the quantile."""
    from scipy.stats import norm, t

    unscaled = np.linalg.inv(design.T @ (weights[:, None] * design))
    coefficients = unscaled @ design.T @ (weights * values)
    degrees = len(values) - design.shape[1]
    chi = float(np.sum(weights * (values - design @ coefficients) ** 2))
    factor = chi / degrees if degrees else 1.0
    probability = (1 + confidence) / 2
    if are_known and factor <= 1:
        factor, quantile = 1.0, norm.ppf(probability)
    else:
        quantile = t.ppf(probability, degrees)
    variance = factor / float(np.mean(weights))
    return coefficients, factor * unscaled, variance, float(quantile)

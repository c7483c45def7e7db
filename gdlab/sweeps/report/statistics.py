"""The statistics of a report: expectations, intervals, tests and sample sizes."""

from typing import NamedTuple

import numpy as np
from scipy import stats

MOST_SEEDS = 10_000
"""The largest number of seeds that :func:`seeds_needed` tries."""
RESAMPLES = 4_000
"""The number of samples that the bootstrap draws."""


def expected_minimum(values: np.ndarray) -> np.ndarray:
    """The expected smallest of k different values, drawn at random, for k = 1, …, n.

    With x₍₁₎ ≤ … ≤ x₍ₙ₎ it is Σᵢ x₍ᵢ₎·C(n − i, k − 1)/C(n, k): the mean over all subsets of size
    k, which estimates the best of k independent trials without bias.

    Args:
        values: n numbers, along the last axis.

    Returns:
        The expectations, of the shape of ``values``.

    >>> from gdlab.sweeps.report.statistics import expected_minimum
    >>> expected_minimum(np.array([3.0, 1.0, 2.0]))  # of 2: (1 + 1 + 2)/3
    array([2.   , 1.33..., 1.   ])

    Source: J. Dodge et al., Show your work, 2019, and R. Tang et al., Showing your work doesn't
    always work, 2020, eq. 5.
    """
    ordered = np.sort(values, axis=-1)
    count = ordered.shape[-1]
    # The weight of x₍ᵢ₎ is the share of subsets of size k whose smallest member it is, the product
    # of the first weight and of the ratios of neighbouring ones.
    k, i = np.arange(1, count + 1), np.arange(1, count)[:, None]
    ratios = np.maximum(count - i - k + 1, 0) / (count - i)
    weights = np.cumprod(np.vstack([k / count, ratios]), axis=0)
    return ordered @ weights


class PairedComparison(NamedTuple):
    """The mean of paired differences, with confidence intervals and tests."""

    mean: float
    deviation: float
    """The standard deviation of a difference."""
    interval: tuple[float, float]
    """The confidence interval of the mean by Student's t."""
    bootstrap: tuple[float, float]
    """The confidence interval of the mean by resampling the pairs."""
    p_value: float
    """The p value of the t test that the mean is zero."""
    wins: int
    """The number of positive differences."""
    losses: int
    """The number of negative differences."""
    sign_p_value: float
    """The p value of the sign test, which assumes nothing about the distribution."""


def paired_comparison(differences: np.ndarray, confidence: float) -> PairedComparison:
    """Test paired differences, of shape ``(n,)`` with n ≥ 2.

    If a run diverged, so that a difference is infinite, mean, intervals and t test are NaN, and
    only the sign test remains.
    """
    wins, losses = int(np.sum(differences > 0)), int(np.sum(differences < 0))
    sign = float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    unknown = (np.nan, np.nan)
    if not np.all(np.isfinite(differences)):
        return PairedComparison(np.nan, np.nan, unknown, unknown, np.nan, wins, losses, sign)
    mean, deviation = float(np.mean(differences)), float(np.std(differences, ddof=1))
    error = deviation / np.sqrt(len(differences))
    if deviation > 0:
        p_value = float(2 * stats.t.sf(abs(mean) / error, len(differences) - 1))
    else:
        p_value = 0.0 if mean else 1.0
    resampled = np.random.default_rng(0).choice(differences, (RESAMPLES, len(differences)))
    ends = np.quantile(np.mean(resampled, axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    bootstrap = (float(ends[0]), float(ends[1]))
    interval = mean_interval(differences, confidence)
    return PairedComparison(mean, deviation, interval, bootstrap, p_value, wins, losses, sign)


def seeds_needed(effect: float, confidence: float, power: float) -> float:
    """The number of pairs with which a t test finds an effect with a given probability.

    The power of n pairs is that of the noncentral t distribution with n − 1 degrees of freedom and
    noncentrality d·√n.

    Args:
        effect: d, the mean difference in units of the standard deviation of a difference.
        confidence: one minus the level of the two-sided test.
        power: the probability with which the effect is to be found.

    Returns:
        The smallest number, at least 2; ∞ beyond 10 000, or if the effect is unknown.

    >>> from gdlab.sweeps.report.statistics import seeds_needed
    >>> seeds_needed(0.5, confidence=0.95, power=0.8)
    34

    Source: J. Cohen, Statistical power analysis for the behavioral sciences, 1988, section 2.3.
    """
    if not np.isfinite(effect):
        return 2 if np.isinf(effect) else np.inf

    def power_of(count: int) -> float:
        limit = stats.t.ppf((1 + confidence) / 2, count - 1)
        shift = abs(effect) * np.sqrt(count)
        # SciPy returns NaN instead of 0 far out in the tails of this distribution.
        below, beyond = np.nan_to_num(stats.nct.cdf([limit, -limit], count - 1, shift))
        return float(1 - below + beyond)

    if not power_of(MOST_SEEDS) >= power:
        return np.inf
    low, high = 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return high


def mean_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """The confidence interval of the mean by Student's t, NaN for fewer than two values."""
    if len(values) < 2 or not np.all(np.isfinite(values)):
        return np.nan, np.nan
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def adjusted(p_values: np.ndarray) -> np.ndarray:
    """The p values of several tests, adjusted by Holm's method for their number.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    found = np.empty_like(p_values)
    found[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return found

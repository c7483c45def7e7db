"""The best learning rate of one curve, beside closed forms and by simulation."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t

from gdlab.scaling import fit_optimum
from gdlab.scaling.laws.fieller import vertex_interval

LOGS = np.arange(-10.0, -0.9, 0.5)
RATES = 2.0**LOGS


def curves(vertices, square=0.15, noise=0.0, rng=None):
    """Losses exp(c·(u − v)²) of a seed for each vertex, with noise in the exponent."""
    rng = rng or np.random.default_rng(0)
    exponent = square * (LOGS[:, None] - np.asarray(vertices)) ** 2
    return np.exp(exponent + noise * rng.normal(size=exponent.shape))


@pytest.mark.parametrize("vertex", [-5.5, -5.37, -6.2])
def test_the_vertex_of_a_parabola_is_found_exactly_and_without_doubt(vertex):
    found = fit_optimum(RATES, curves([vertex] * 3))
    assert math.log2(found.rate) == pytest.approx(vertex, abs=1e-9)
    assert np.log2(found.interval) == pytest.approx([vertex, vertex], abs=1e-6)
    assert found.is_reliable
    assert found.warning == ""
    assert found.best_value == pytest.approx(1.0, abs=0.01)  # between two rates, interpolated


def test_rates_may_come_in_any_order_and_an_accuracy_be_maximized():
    order = np.random.default_rng(1).permutation(len(RATES))
    accuracy = 0.9 - 0.01 * (LOGS + 5.2) ** 2
    found = fit_optimum(RATES[order], accuracy[order], maximize=True)
    assert math.log2(found.rate) == pytest.approx(-5.2)
    assert found.best_value == pytest.approx(0.9, abs=1e-3)


def test_losses_that_are_not_all_positive_are_fitted_as_they_are():
    found = fit_optimum(RATES, 0.1 * (LOGS + 5.2) ** 2 - 0.5)
    assert math.log2(found.rate) == pytest.approx(-5.2)
    assert found.best_value == pytest.approx(-0.5, abs=0.01)


def test_only_rates_near_the_best_are_fitted():
    # A parabola near its minimum, and something else beyond a factor of three.
    losses = curves([-5.3])[:, 0]
    losses[LOGS < -7.5] = 5.0
    losses[LOGS > -3.5] = 50.0
    assert math.log2(fit_optimum(RATES, losses).rate) == pytest.approx(-5.3)
    assert math.log2(fit_optimum(RATES, losses, window=30.0).rate) != pytest.approx(-5.3, abs=0.05)


# --- The interval


def test_fieller_s_interval_is_where_the_slope_of_the_parabola_may_be_zero():
    linear, square, quantile = 0.3, 0.5, 2.1
    covariance = np.array([[0.02, 0.004], [0.004, 0.01]])

    def excess(v):
        row = np.array([1.0, 2 * v])
        return (linear + 2 * square * v) ** 2 - quantile**2 * row @ covariance @ row

    vertex = -linear / (2 * square)
    expected = brentq(excess, -20.0, vertex), brentq(excess, vertex, 20.0)
    assert vertex_interval(linear, square, covariance, quantile) == pytest.approx(expected)
    # For a curvature that is known, it is v ± q·σ_b/(2c).
    known = vertex_interval(linear, square, [[0.02, 0.0], [0.0, 0.0]], quantile)
    half = quantile * math.sqrt(0.02) / (2 * square)
    assert known == pytest.approx((vertex - half, vertex + half))
    # A curvature within its error of zero bounds nothing.
    assert vertex_interval(linear, 0.1, covariance, quantile) == (-math.inf, math.inf)


def covered(seeds, noise, spread, repetitions=300):
    """The share of simulated curves whose interval covers the mean vertex."""
    rng, hits = np.random.default_rng(2), 0
    for _ in range(repetitions):
        vertex = -5.3 + rng.uniform(-0.25, 0.25)
        vertices = vertex + spread * rng.normal(size=seeds)
        low, high = np.log2(fit_optimum(RATES, curves(vertices, noise=noise, rng=rng)).interval)
        hits += low <= vertex <= high
    return hits / repetitions


@pytest.mark.parametrize(
    ("seeds", "noise", "spread"),
    [
        pytest.param(1, 0.05, 0.0, id="one seed, independent errors"),
        pytest.param(4, 0.05, 0.0, id="four seeds, independent errors"),
        pytest.param(4, 0.02, 0.3, id="four seeds with optima of their own"),
    ],
)
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds, noise, spread):
    # Three binomial standard errors below 95 %; it may cover more often, being the wider of two.
    assert covered(seeds, noise, spread) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 300)


def test_with_one_seed_the_interval_is_that_of_a_usual_regression():
    losses = curves([-5.3], noise=0.05)[:, 0]
    found = fit_optimum(RATES, losses)
    fitted = np.abs(LOGS - math.log2(found.best_tried)) <= math.log2(3.0)
    (square, linear, _), covariance = np.polyfit(LOGS[fitted], np.log(losses[fitted]), 2, cov=True)
    degrees = int(fitted.sum()) - 3
    ours = vertex_interval(linear, square, covariance[[1, 0]][:, [1, 0]], t.ppf(0.975, degrees))
    assert math.log2(found.rate) == pytest.approx(-linear / (2 * square))
    assert np.log2(found.interval) == pytest.approx(ours, rel=1e-6)


def test_a_parabola_that_does_not_fit_makes_the_interval_wider():
    bent = curves([-5.3] * 3) * np.exp(0.03 * (LOGS[:, None] + 5.3) ** 3)
    low, high = np.log2(fit_optimum(RATES, bent).interval)
    assert high - low > 0.1


# --- What a range does not tell


@pytest.mark.parametrize(
    ("vertex", "edge", "end"), [(-12.0, "low", "lower"), (1.0, "high", "upper")]
)
def test_an_optimum_at_the_end_of_the_range_is_open_to_that_side_and_warned_of(vertex, edge, end):
    found = fit_optimum(RATES, curves([vertex] * 2, noise=0.001))
    assert found.edge == edge
    assert found.rate == found.best_tried == (RATES[0] if edge == "low" else RATES[-1])
    assert f"the best rate is at the {end} end of the range" in found.warning
    assert found.interval[0] == 0.0 if edge == "low" else found.interval[1] == math.inf
    assert not found.is_reliable


def test_a_vertex_beyond_the_range_is_at_its_end_though_a_rate_within_was_better_by_noise():
    losses = curves([-0.5])[:, 0]
    losses[-2] = losses[-1] * 0.999
    found = fit_optimum(RATES, losses)
    assert (found.edge, found.rate, found.best_tried) == ("high", RATES[-1], RATES[-2])
    assert found.interval[1] == math.inf
    assert found.interval[0] <= RATES[-2]


def test_an_optimum_right_below_divergence_is_bounded_by_it():
    losses = curves([-2.0] * 2, noise=0.001)
    losses[LOGS > -4.9, 1] = np.nan  # one of two seeds
    found = fit_optimum(RATES, losses)
    assert (found.edge, math.log2(found.rate)) == ("divergence", -5.0)
    assert np.log2(found.interval) == pytest.approx([-5.5, -4.5])
    assert found.is_reliable
    assert "training diverges right above" in found.warning
    assert found.value_at(2.0**-4.5) == math.inf
    assert math.isnan(found.value_at(2.0**-11))


@pytest.mark.parametrize("seeds", [1, 4])
def test_a_flat_and_noisy_basin_says_that_no_rate_is_better(seeds):
    # Up and down by one percent, with steep walls at both ends of the range.
    losses = np.exp(0.01 * np.cos(np.pi * (np.arange(len(RATES))[:, None] + np.arange(seeds))))
    losses[[0, -1]] = 2.0
    losses[9] -= 0.001
    found = fit_optimum(RATES, losses)
    assert found.is_flat
    assert found.rate == found.best_tried
    assert found.interval == pytest.approx((RATES[0], RATES[-1]))
    assert "no rate is better than the others" in found.warning
    assert not found.is_reliable


def test_two_rates_are_bracketed_and_three_without_errors_as_well():
    assert fit_optimum([1.0, 2.0, 4.0], [3.0, 1.0, 2.0]).interval == (1.0, 4.0)
    assert fit_optimum([1.0, 2.0, 4.0], [np.nan, 1.0, np.nan]).interval == (1.0, 4.0)


@pytest.mark.parametrize(
    ("rates", "losses", "message"),
    [
        ([1.0, 2.0], [np.nan, np.inf], "no learning rate at which every seed trained"),
        ([1.0, 1.0], [1.0, 2.0], "positive and different from each other"),
        ([-1.0, 1.0], [1.0, 2.0], "positive and different from each other"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "losses must have the shape"),
    ],
)
def test_bad_curves_are_refused(rates, losses, message):
    with pytest.raises(ValueError, match=message):
        fit_optimum(rates, losses)


def test_a_confidence_in_per_cent_is_refused():
    with pytest.raises(ValueError, match="confidence must be a number above 0 and below 1, not 95"):
        fit_optimum([1.0, 2.0], [1.0, 2.0], confidence=95)

"""Power laws, beside the regressions of SciPy and NumPy, and by simulation."""

import math

import numpy as np
import pytest
from scipy.stats import linregress, t

from gdlab.scaling import fit_power_law

WIDTHS = np.array([32.0, 64.0, 128.0, 256.0, 512.0])
RNG = np.random.default_rng(0)
NOISY = 0.1 * WIDTHS**-0.5 * np.exp(0.1 * RNG.normal(size=5))


def test_without_errors_the_exponent_and_its_interval_are_those_of_a_usual_regression():
    law = fit_power_law({"width": WIDTHS}, NOISY)
    other = linregress(np.log(WIDTHS), np.log(NOISY))
    half = t.ppf(0.975, 3) * other.stderr
    assert law.exponents["width"] == pytest.approx(other.slope)
    assert law.intervals["width"] == pytest.approx((other.slope - half, other.slope + half))


def test_the_bands_are_those_of_a_usual_regression():
    law = fit_power_law({"width": WIDTHS}, NOISY, confidence=0.9)
    other = linregress(np.log2(WIDTHS), np.log2(NOISY))
    x, y = np.log2(WIDTHS), np.log2(NOISY)
    residual = np.sum((y - other.intercept - other.slope * x) ** 2) / 3
    for width in (64.0, 1000.0):
        found = law.predict(width=width)
        middle = other.intercept + other.slope * np.log2(width)
        leverage = 1 / 5 + (np.log2(width) - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
        for interval, variance in [
            (found.interval, leverage),
            (found.prediction_interval, 1 + leverage),
        ]:
            half = t.ppf(0.95, 3) * math.sqrt(residual * variance)
            assert np.log2(interval) == pytest.approx((middle - half, middle + half))
        assert found.is_extrapolated == (width > 512)


def test_with_errors_it_is_numpy_s_weighted_fit():
    errors = np.array([0.02, 0.1, 0.05, 0.02, 0.03])
    x, y = np.log2(WIDTHS), np.log2(NOISY)
    law = fit_power_law({"width": WIDTHS}, NOISY, errors)
    chi = np.polyfit(x, y, 1, w=1 / errors, full=True)[1][0]
    assert chi > 3  # so that the scatter counts, as in numpy's default
    (slope, _), covariance = np.polyfit(x, y, 1, w=1 / errors, cov=True)
    half = t.ppf(0.975, 3) * math.sqrt(covariance[0, 0])
    assert law.exponents["width"] == pytest.approx(slope)
    assert law.intervals["width"] == pytest.approx((slope - half, slope + half))


def test_values_that_scatter_less_than_their_errors_keep_these():
    errors = np.full(5, 0.5)
    law = fit_power_law({"width": WIDTHS}, 0.1 * WIDTHS**-0.5, errors)
    _, covariance = np.polyfit(np.log2(WIDTHS), np.zeros(5), 1, w=1 / errors, cov="unscaled")
    half = 1.959964 * math.sqrt(covariance[0, 0])
    assert law.intervals["width"] == pytest.approx((-0.5 - half, -0.5 + half), rel=1e-5)


def test_several_sizes_have_an_exponent_each():
    width, tokens = np.meshgrid([64.0, 128.0, 256.0], [1e3, 1e4])
    values = 0.3 * width**-0.5 * tokens**0.1
    law = fit_power_law({"width": width.ravel(), "tokens": tokens.ravel()}, values.ravel())
    assert law.exponents == pytest.approx({"width": -0.5, "tokens": 0.1})
    found = law.predict(tokens=1e5, width=128)
    assert found.value == pytest.approx(0.3 * 128**-0.5 * 1e5**0.1)
    assert found.is_extrapolated


def test_the_prediction_interval_covers_one_more_value_as_often_as_it_says():
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        values = 0.1 * WIDTHS**-0.5 * 2 ** (0.2 * rng.normal(size=5))
        low, high = fit_power_law({"width": WIDTHS}, values).predict(width=2048).prediction_interval
        hits += low <= 0.1 * 2048**-0.5 * 2 ** (0.2 * rng.normal()) <= high
    assert hits / 400 == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 400))


@pytest.mark.parametrize(
    ("sizes", "values", "errors", "message"),
    [
        ({"width": [1.0, 2.0]}, [1.0, 2.0], None, "a law of width needs 3 cells, not 2"),
        ({"width": [1.0]}, [1.0], [0.1], "a law of width needs 2 cells, not 1"),
        ({"width": [2.0, 2.0, 2.0]}, [1.0, 2.0, 3.0], None, "do not vary independently"),
        ({"width": [0.0, 2.0, 3.0]}, [1.0, 2.0, 3.0], None, "must be positive"),
    ],
)
def test_bad_sizes_are_refused(sizes, values, errors, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(sizes, values, errors)


def test_a_prediction_needs_all_sizes_by_name():
    law = fit_power_law({"width": WIDTHS}, NOISY)
    with pytest.raises(ValueError, match=r"the law needs the sizes \['width'\], not \['depth'\]"):
        law.predict(depth=2)
    with pytest.raises(ValueError, match=r"size .* must be positive"):
        law.predict(width=0)

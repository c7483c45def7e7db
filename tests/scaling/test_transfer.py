"""The shift between two optima and its interval."""

import dataclasses
import math

import numpy as np
import pytest

from gdlab.scaling import fit_optimum
from gdlab.scaling.laws.transfer import transfer_between

LOGS = np.arange(-10.0, -0.9, 0.5)


def optimum(vertex, noise=0.0, rng=None):
    rng = rng or np.random.default_rng(0)
    exponent = 0.15 * (LOGS[:, None] - vertex) ** 2 + noise * rng.normal(size=(len(LOGS), 4))
    return fit_optimum(2.0**LOGS, np.exp(exponent))


def shift(first, second, step=2.0, tolerance=1.0):
    return transfer_between(
        first,
        second,
        size="width",
        between=(64.0, 128.0),
        elsewhere={},
        step=step,
        tolerance=tolerance,
    )


def with_interval(log_rate, low, high):
    one = optimum(-5.0)
    return dataclasses.replace(one, rate=2.0**log_rate, interval=(2.0**low, 2.0**high))


def test_the_interval_is_put_together_of_the_sides_that_face_each_other():
    found = shift(with_interval(-5.0, -5.5, -4.75), with_interval(-6.0, -6.25, -5.0))
    assert found.shift == pytest.approx(-1.0)
    low, high = -1 - math.hypot(0.25, 0.25), -1 + math.hypot(1.0, 0.5)
    assert found.interval == pytest.approx((low, high))
    # On a grid of half octaves there are twice as many steps.
    finer = shift(with_interval(-5.0, -5.5, -4.75), with_interval(-6.0, -6.25, -5.0), math.sqrt(2))
    assert finer.interval == pytest.approx((2 * low, 2 * high))


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (with_interval(-5.2, -5.4, -5.0), True),
        (with_interval(-6.5, -6.7, -6.3), False),
        (with_interval(-6.0, -6.2, -5.8), None),
        (with_interval(-5.0, -math.inf, -4.9), None),
        (with_interval(-8.0, -math.inf, -7.9), False),
    ],
    ids=["stays", "moves", "about a step", "open", "moves at least so far"],
)
def test_only_an_interval_within_the_tolerance_is_transfer(second, expected):
    assert shift(with_interval(-5.0, -5.2, -4.8), second).transfers is expected


def test_the_interval_of_the_shift_covers_the_truth_as_often_as_it_says():
    rng, hits, repetitions = np.random.default_rng(1), 0, 200
    for _ in range(repetitions):
        truth = rng.uniform(-1.5, 1.5)
        first = optimum(-5.3, 0.05, rng)
        low, high = shift(first, optimum(-5.3 + truth, 0.05, rng)).interval
        hits += low <= truth <= high
    assert hits / repetitions > 0.95 - 3 * math.sqrt(0.95 * 0.05 / repetitions)


def test_the_cost_is_that_of_the_curve_between_the_rates_that_were_tried():
    first, second = optimum(-5.0), optimum(-6.0)
    assert shift(first, second).cost == pytest.approx(math.expm1(0.15 * 1.0**2), abs=1e-9)
    assert "is 16.2 % above its least" in shift(first, second).sentence
    # Of a rate that was not tried nothing is known, and an accuracy has no factor.
    beyond = dataclasses.replace(first, rate=2.0)
    assert math.isnan(shift(beyond, second).cost)
    assert "its least" not in shift(beyond, second).sentence
    accuracy = fit_optimum(2.0**LOGS, 0.9 - 0.01 * (LOGS + 5) ** 2, maximize=True)
    assert math.isnan(shift(accuracy, accuracy).cost)

"""Coordinates and the descent over them, against known minima and differences."""

import numpy as np
import pytest

from gdlab.sweeps.refinement.coordinates import Coordinate
from gdlab.sweeps.refinement.descent import descend_together

EPS = float(np.finfo(float).eps)


def together(function, starts, steps=300):
    def evaluate(points):
        pairs = [function(point) for point in points]
        return np.array([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])

    return descend_together(np.asarray(starts, float), evaluate, steps=steps, rounding=EPS)


def rosenbrock(point):
    x, y = point
    value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    return value, np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])


def kink(point):
    x, y = point
    value = abs(x - 1) + 3 * abs(y + 2) + (x - 1) ** 2
    return value, np.array([np.sign(x - 1) + 2 * (x - 1), 3 * np.sign(y + 2)])


def test_descents_from_several_starts_find_the_minimum_of_rosenbrocks_valley():
    for descent in together(rosenbrock, [[-1.2, 1.0], [2.0, -1.0]]):
        assert descent.ending == "converged"
        np.testing.assert_allclose(descent.points[-1], [1, 1], atol=1e-6)
        assert np.all(np.diff(descent.values) < 0)


def test_a_descent_finds_a_minimum_at_a_kink():
    (descent,) = together(kink, [[3.0, 1.0]])
    np.testing.assert_allclose(descent.points[-1], [1, -2], atol=1e-8)


def test_a_descent_shuns_points_without_a_value():
    def walled(point):
        (x,) = point
        with np.errstate(invalid="ignore"):
            return -np.log(1 - x) + (x - 2) ** 2, np.array([1 / (1 - x) + 2 * (x - 2)])

    (descent,) = together(walled, [[-3.0]])
    assert np.all(descent.points < 1)
    # 1/(1 − x) = 2(2 − x)
    np.testing.assert_allclose(descent.points[-1], [(3 - np.sqrt(3)) / 2], atol=1e-7)


def test_endings_are_told_apart():
    nowhere = lambda point: (np.nan, np.zeros(1))  # noqa: E731
    level = lambda point: (1.0, np.zeros(1))  # noqa: E731
    for function, ending in ((nowhere, "diverged"), (level, "flat")):
        assert together(function, [[0.0]])[0].ending == ending
    assert together(rosenbrock, [[-1.2, 1.0]], steps=3)[0].ending == "unfinished"


@pytest.mark.parametrize("bounds", [(0, 1), (0, np.inf), (-3, np.inf), (-np.inf, 2), (-2, 5), ()])
def test_a_coordinate_goes_there_and_back_and_its_slope_is_the_difference(bounds):
    coordinate = Coordinate("x", *bounds)
    for value in (0.001, 0.3, 0.999):
        x = coordinate.real(value)
        np.testing.assert_allclose(coordinate.value(np.array(x)), value, rtol=1e-12)
        ahead, behind = (coordinate.value(np.array(x + step)) for step in (1e-5, -1e-5))
        np.testing.assert_allclose(
            coordinate.slope(np.array(x)), (ahead - behind) / 2e-5, rtol=1e-7
        )


def test_a_decay_next_to_one_keeps_its_digits():
    coordinate = Coordinate("b2", 0.0, 1.0)
    value = coordinate.value(np.array(coordinate.real(1 - 1e-9)))
    np.testing.assert_allclose(1 - value, 1e-9, rtol=1e-6)

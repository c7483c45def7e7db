"""Poles along one hyperparameter, against the roots of characteristic polynomials."""

import numpy as np
import pytest

from gdlab import Axis, adam, nesterov, sgd
from gdlab.analysis import regime_map, root_locus

RATES = np.linspace(0.1, 3.5, 18)


def assert_same_roots(poles, coefficients):
    for row, expected in zip(poles, coefficients, strict=True):
        np.testing.assert_allclose(np.poly(row), expected, atol=1e-12)


def test_the_poles_of_the_heavy_ball_are_those_of_its_polynomial_at_every_rate():
    name, values, poles = root_locus(sgd(Axis("eta", RATES), momentum=0.7), curvature=2.0)
    assert name == "eta"
    np.testing.assert_allclose(values, RATES, rtol=1e-6)
    assert poles.shape == (18, 2)
    assert_same_roots(poles, [[1, -(1.7 - 2 * eta), 0.7] for eta in values])


def test_the_momentum_moves_the_poles_as_well():
    _, beta, poles = root_locus(nesterov(0.3, Axis("momentum", [0.2, 0.5, 0.9])), 1.0)
    assert_same_roots(poles, [[1, -(1 + b) * 0.7, b * 0.7] for b in beta])


def test_each_mode_of_a_spectrum_has_poles_of_its_own():
    _, eta, poles = root_locus(sgd(Axis("eta", [0.5, 1.0])), [1.0, 3.0])
    np.testing.assert_allclose(poles, 1 - np.multiply.outer(eta, [1.0, 3.0])[..., None])


def test_the_poles_of_a_hessian_are_those_of_all_its_modes():
    hessian = np.array([[2.0, 1.0], [1.0, 2.0]])
    _, _, poles = root_locus(sgd(Axis("eta", [0.1, 0.5])), hessian)
    np.testing.assert_allclose(poles, [[0.9, 0.7], [0.5, -0.5]], atol=1e-12)


def test_one_axis_in_two_places_is_one_axis():
    both = Axis("decay", [0.1, 0.5, 0.9])
    name, decays, poles = root_locus(adam(0.5, b1=both, b2=both), 1.0)
    assert name == "decay"
    assert_same_roots(poles, [[1, -(1 + b - 0.5 * (1 - b)), b] for b in decays])


def test_curvature_may_be_negative_for_there_are_poles_all_the_same():
    _, _, poles = root_locus(sgd(Axis("eta", [0.5])), -1.0)
    np.testing.assert_allclose(poles, [[1.5]])


def test_no_axis_two_axes_and_sampled_ones_are_refused():
    with pytest.raises(ValueError, match=r"needs one axis.*sgd\(0.1\) has 0"):
        root_locus(sgd(0.1), 1.0)
    with pytest.raises(ValueError, match="has 2"):
        root_locus(sgd(Axis("eta", [0.1]), momentum=Axis("beta", [0.5])), 1.0)
    with pytest.raises(ValueError, match=r"over a grid; give Axis.uniform\('eta'.*its values"):
        root_locus(sgd(Axis.uniform("eta", 0.1, 1.0)), 1.0)


def test_a_value_at_which_there_are_no_poles_is_named():
    with pytest.raises(ValueError, match=r"the poles are not finite at eta = \[inf\]"):
        root_locus(sgd(Axis("eta", [0.1, np.inf])), 1.0)


def test_axes_along_one_dimension_move_together_in_a_map():
    tx = sgd(
        Axis("eta", [0.5, 1.0, 3.5], along="setting"),
        momentum=Axis("beta", [0.0, 0.25, 0.5], along="setting"),
    )
    found = regime_map(tx, 1.0)
    assert found.dims == ("setting",)
    np.testing.assert_array_equal(found.coords["setting"], [0, 1, 2])
    np.testing.assert_allclose(found.coords["beta"], [0.0, 0.25, 0.5])
    radii = [max(abs(np.roots([1, -(1 + b - e), b]))) for e, b in ((0.5, 0), (1, 0.25), (3.5, 0.5))]
    np.testing.assert_allclose(found.rate, radii)

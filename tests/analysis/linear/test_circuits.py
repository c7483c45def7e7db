"""Circuits that behave as optimizers do, against the table of their parts and against SciPy."""

import numpy as np
import pytest
import scipy.signal

import gdlab
from gdlab.analysis import circuit, linearize

CURVATURE = 3.0


def test_gradient_descent_is_a_resistor_and_an_inductor():
    for eta in (1e-3, 0.1, 5.0):
        found = circuit(gdlab.sgd(eta), CURVATURE)
        assert found.resistance == 1
        assert found.inductance == pytest.approx(1 / (eta * CURVATURE))
        assert found.capacitance == 0
        assert found.damping_ratio == np.inf
        assert found.natural_frequency == np.inf
        np.testing.assert_allclose(found.exponents, [-eta * CURVATURE, -np.inf])
        np.testing.assert_allclose(found.time_constants, [1 / (eta * CURVATURE), 0])


MOMENTA = {
    "accumulating": (lambda x, beta: gdlab.sgd(x / CURVATURE, beta), lambda x, beta: x),
    "averaging": (
        lambda x, beta: gdlab.sgd(x / CURVATURE, beta, averaging=True),
        lambda x, beta: (1 - beta) * x,
    ),
    "adam": (
        lambda x, beta: gdlab.adam(x / CURVATURE, beta, eps=0.0),
        lambda x, beta: (1 - beta) * x,
    ),
}


@pytest.mark.parametrize("name", MOMENTA)
def test_momentum_adds_a_capacitor(name):
    make, effective = MOMENTA[name]
    for beta in (0.3, 0.9, 0.99):
        for x in (1e-3, 0.1, 1.5):
            found, k = circuit(make(x, beta), CURVATURE), effective(x, beta)
            L, C = (1 - beta) / k, beta / (1 - beta)
            assert found == pytest.approx((1, L, C), rel=1e-11)
            assert found.damping_ratio == pytest.approx(np.sqrt(L / C) / 2, rel=1e-9)
            assert found.natural_frequency == pytest.approx(np.sqrt(k / beta), rel=1e-9)
            # L·C·s² + L·s + 1
            polynomial = L * C * np.poly(found.exponents)
            np.testing.assert_allclose(polynomial, [L * C, L, 1], rtol=1e-9)
            slow, fast = found.time_constants
            assert slow >= (1 - 1e-12) * fast > 0


def test_damping_tells_gliding_from_oscillating():
    # ζ = 1 where (1 − β)² = 4βηλ: the continuous counterpart of (1 − √β)² = ηλ.
    beta = 0.9
    critical = (1 - beta) ** 2 / (4 * beta) / CURVATURE
    assert circuit(gdlab.sgd(critical, beta), CURVATURE).damping_ratio == pytest.approx(1)
    for share, glides in ((0.9, True), (1.1, False)):
        found = circuit(gdlab.sgd(share * critical, beta), CURVATURE)
        assert (found.damping_ratio > 1) == glides
        assert np.isreal(found.exponents).all() == glides


def scipy_response(found, times, w0):
    """The current through the inductor of L·C·ẅ + (L/R)·ẇ + w = 0, released at rest."""
    L, C = found.inductance, found.capacitance
    if C == 0:
        return w0 * np.exp(-times / L)
    A = np.array([[0.0, 1.0], [-1 / (L * C), -1 / C]])
    system = scipy.signal.StateSpace(A, np.zeros((2, 1)), [[1.0, 0.0]], [[0.0]])
    return scipy.signal.lsim(system, np.zeros_like(times), times, X0=[w0, 0.0])[1]


@pytest.mark.parametrize(
    "tx",
    [gdlab.sgd(0.05), gdlab.sgd(0.05, 0.9), gdlab.sgd(1e-4, 0.9), gdlab.sgd(0.01 / 10.8, 0.9)],
    ids=["no capacitor", "underdamped", "overdamped", "critical"],
)
def test_response_solves_the_equation_of_the_circuit(tx):
    found, times = circuit(tx, CURVATURE), np.linspace(0, 120, 241)
    expected = scipy_response(found, times, -2.0)
    np.testing.assert_allclose(found.response(times, -2.0), expected, rtol=0, atol=1e-7)


def test_each_mode_has_a_circuit_of_its_own():
    tx, spectrum = gdlab.sgd(0.05, 0.8), np.array([0.3, 4.0])
    together, times = circuit(tx, spectrum), np.linspace(0, 30, 7)
    response = together.response(times, [1.0, -3.0])
    assert response.shape == (7, 2)
    for mode, start in enumerate([1.0, -3.0]):
        alone = circuit(tx, spectrum[mode])
        np.testing.assert_allclose([part[mode] for part in together], alone)
        np.testing.assert_allclose(response[:, mode], alone.response(times, start))
        np.testing.assert_allclose(together.exponents[mode], alone.exponents)
        assert together.damping_ratio[mode] == pytest.approx(alone.damping_ratio)


@pytest.mark.parametrize(
    "make",
    [
        lambda h: gdlab.sgd(h),
        lambda h: gdlab.sgd(h**2, 1 - 0.8 * h),
        lambda h: gdlab.sgd(h**2, 1 - 6.0 * h),
        lambda h: gdlab.sgd(h**2, 1 - 0.8 * h, nesterov=True),
        lambda h: gdlab.sgd(h / 0.8, 1 - 0.8 * h, averaging=True),
    ],
    ids=["descent", "underdamped", "overdamped", "Nesterov", "averaging"],
)
def test_iterates_approach_the_response_in_proportion_to_the_step(make):
    gaps = []
    for h in (0.02, 0.01, 0.005, 0.0025):
        steps = round(4 / h)
        path = linearize(make(h), CURVATURE).simulate(1.0, steps)
        response = circuit(make(h), CURVATURE).response(np.arange(steps + 1))
        gaps.append(np.abs(path - response).max())
    gaps = np.array(gaps)
    # Halving the step halves the gap.
    np.testing.assert_allclose(gaps[1:] / gaps[:-1], 0.5, atol=0.06)
    assert gaps[-1] < 0.02


def test_the_circuit_is_stable_where_the_iteration_is_not():
    for tx in (gdlab.sgd(3 / CURVATURE), gdlab.sgd(5 / CURVATURE, 0.9)):
        assert linearize(tx, CURVATURE).spectral_radius > 1.2
        found = circuit(tx, CURVATURE)
        assert (found.exponents.real < 0).all()
        assert abs(found.response([0.0, 1e3])[1]) < 1e-6


@pytest.mark.parametrize(
    ("tx", "curvature", "message"),
    [
        (
            gdlab.chain(gdlab.trace(0.5), gdlab.sgd(0.1, 0.5)),
            1.0,
            r"one or two poles, but chain\(.* has 3",
        ),
        (gdlab.sgd(0.1, 0.5), np.eye(2), r"hand over the spectrum"),
        (gdlab.sgd(1.5, 0.5, nesterov=True), 1.0, "product of its poles is -0.25"),
        (gdlab.sgd(0.1), -1.0, "no circuit of positive parts"),
        (gdlab.sgd(0.1, 1.5), 1.0, "no circuit of positive parts"),
    ],
    ids=["three poles", "Hessian", "Nesterov beyond 1/L", "saddle", "momentum beyond 1"],
)
def test_what_is_like_no_circuit_is_refused(tx, curvature, message):
    with pytest.raises(ValueError, match=message):
        circuit(tx, curvature)

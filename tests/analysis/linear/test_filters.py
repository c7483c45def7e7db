"""Linear parts as filters, against closed forms and against SciPy's."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.signal

import gdlab
from gdlab import debias, ema, trace
from gdlab.analysis import (
    averaging_window,
    cutoff_frequency,
    dc_gain,
    frequency_response,
    half_life,
    impulse_response,
    noise_gain,
    step_response,
)
from tests.sweeps.counting import count_compilations

DECAYS = [0.0, 0.1, 0.3, 0.5, 0.9, 0.99]
HALF = 3 - 2 * np.sqrt(2)
"""The decay above which an average has a −3 dB frequency."""


def test_responses_of_the_average_are_its_weights_and_their_sums():
    k = np.arange(60)
    for beta in DECAYS:
        weights = (1 - beta) * beta**k
        np.testing.assert_allclose(impulse_response(ema(beta), 60), weights, atol=1e-16)
        np.testing.assert_allclose(step_response(ema(beta), 60), 1 - beta ** (k + 1), rtol=1e-13)
        np.testing.assert_allclose(impulse_response(trace(beta), 60), beta**k, atol=1e-16)


def test_figures_of_the_average_are_the_closed_forms():
    for beta in DECAYS:
        assert dc_gain(ema(beta)) == pytest.approx(1, rel=1e-12)
        assert dc_gain(trace(beta)) == pytest.approx(1 / (1 - beta), rel=1e-12)
        assert noise_gain(ema(beta)) == pytest.approx((1 - beta) / (1 + beta), rel=1e-12)
        assert noise_gain(trace(beta)) == pytest.approx(1 / (1 - beta**2), rel=1e-12)
        for average in (ema, trace):
            assert averaging_window(average(beta)) == pytest.approx((1 + beta) / (1 - beta))
        expected = np.log(0.5) / np.log(beta) if beta else 0
        assert half_life(ema(beta)) == pytest.approx(expected, rel=1e-12)


def test_frequency_response_of_the_average_is_the_closed_form_and_scipys():
    frequency = np.array([0.0, 1e-4, 0.01, 0.2, 0.5])
    for beta in DECAYS:
        found = frequency_response(ema(beta), frequency)
        np.testing.assert_array_equal(found.frequency, frequency)
        z = np.exp(2j * np.pi * frequency)
        np.testing.assert_allclose(found.response, (1 - beta) / (1 - beta / z), rtol=1e-12)
        _, theirs = scipy.signal.freqz([1 - beta], [1, -beta], worN=2 * np.pi * frequency)
        np.testing.assert_allclose(found.response, theirs, rtol=1e-12)


def test_frequencies_go_from_nought_to_a_half_unless_given():
    frequency, response = frequency_response(ema(0.9))
    assert frequency[0] == 0
    assert frequency[-1] == pytest.approx(0.5)
    assert response.shape == frequency.shape
    assert (np.diff(np.abs(response)) < 0).all()


def test_cutoff_of_the_average_is_the_closed_form_and_exists_only_above_a_decay():
    for beta in [HALF + 1e-6, 0.2, 0.3, 0.5, 0.9, 0.99, 0.9999]:
        omega = 2 * np.arcsin((1 - beta) / (2 * np.sqrt(beta)))  # 2(1 − cos ω) = (1 − β)²/β
        assert cutoff_frequency(ema(beta)) == pytest.approx(omega / (2 * np.pi), rel=1e-8)
        gain = np.abs(frequency_response(ema(beta), [cutoff_frequency(ema(beta))]).response)
        assert gain == pytest.approx(np.sqrt(0.5), rel=1e-9)
    for beta in [0.0, 0.1, HALF - 1e-6]:
        assert np.isnan(cutoff_frequency(ema(beta)))


def test_sampled_rc_circuit_is_the_average_with_beta_e_to_the_minus_dt_over_rc():
    RC, dt, source = 0.7, 0.05, np.ones(60)
    circuit = scipy.signal.StateSpace([[-1 / RC]], [[1 / RC]], [[1.0]], [[0.0]])
    voltage = scipy.signal.lsim(circuit, np.append(source, 0), dt * np.arange(61), interp=False)[1]
    average = ema(np.exp(-dt / RC))
    np.testing.assert_allclose(step_response(average, 60), voltage[1:], rtol=1e-10)
    # Far below the sampling rate its −3 dB frequency is the circuit's, 1/(2πRC).
    fine = ema(np.exp(-1e-4 / RC))
    assert cutoff_frequency(fine) / 1e-4 == pytest.approx(1 / (2 * np.pi * RC), rel=1e-6)


def one_step_ahead(beta):
    """β·m + (1 − β)·g: numerator and denominator in powers of 1/z."""
    return np.array([(1 - beta) * (1 + beta), -beta * (1 - beta)]), np.array([1, -beta])


FILTERS = {
    "look-ahead average": (ema(0.8, nesterov=True), *one_step_ahead(0.8)),
    "gradient plus its average": (
        gdlab.chain(gdlab.fork(operator.add, gdlab.identity(), ema(0.8)), gdlab.scale(3.0)),
        np.array([3.6, -2.4]),
        np.array([1, -0.8]),
    ),
    "two averages in a row": (
        gdlab.chain(ema(0.8), ema(0.5)),
        np.array([0.1]),
        np.polymul([1, -0.8], [1, -0.5]),
    ),
    "momentum of a step": (gdlab.sgd(0.1, momentum=0.8), np.array([-0.1]), np.array([1, -0.8])),
    "difference of averages": (
        gdlab.fork(operator.sub, ema(0.5), ema(0.8)),
        np.polysub(np.polymul([0.5], [1, -0.8]), np.polymul([0.2], [1, -0.5])),
        np.polymul([1, -0.8], [1, -0.5]),
    ),
    "no memory": (gdlab.scale(-3.0), np.array([-3.0]), np.array([1.0])),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", FILTERS)
def test_composition_is_the_filter_of_scipy(name):
    tx, numerator, denominator = FILTERS[name]
    impulse, step = np.eye(1, 50)[0], np.ones(50)
    filtered = scipy.signal.lfilter(numerator, denominator, impulse)
    np.testing.assert_allclose(impulse_response(tx, 50), filtered, atol=1e-14)
    filtered = scipy.signal.lfilter(numerator, denominator, step)
    np.testing.assert_allclose(step_response(tx, 50), filtered, atol=1e-13)
    frequency = np.array([0.0, 0.01, 0.13, 0.5])
    _, response = scipy.signal.freqz(numerator, denominator, worN=2 * np.pi * frequency)
    found = frequency_response(tx, frequency).response
    np.testing.assert_allclose(found, response, rtol=1e-11, atol=1e-13)
    gain = np.sum(numerator) / np.sum(denominator)
    assert dc_gain(tx) == pytest.approx(gain, rel=1e-12, abs=1e-13)
    long = scipy.signal.lfilter(numerator, denominator, np.eye(1, 500)[0])
    assert noise_gain(tx) == pytest.approx(np.sum(long**2), rel=1e-12)
    poles = np.roots(denominator)
    slowest = np.abs(poles).max(initial=0)
    assert half_life(tx) == pytest.approx(np.log(0.5) / np.log(slowest) if slowest else 0)


def test_a_debiased_average_starts_at_one_and_ends_as_the_average():
    np.testing.assert_allclose(step_response(debias(ema(0.9)), 30), np.ones(30), rtol=1e-13)
    t = np.arange(1, 31)
    weights = 0.1 * 0.9 ** (t - 1) / (1 - 0.9**t)
    np.testing.assert_allclose(impulse_response(debias(ema(0.9)), 30), weights, rtol=1e-12)
    assert noise_gain(debias(ema(0.9))) == pytest.approx(0.1 / 1.9, rel=1e-9)
    assert dc_gain(debias(ema(0.9))) == pytest.approx(1, rel=1e-9)


def test_a_transformation_of_optax_is_a_filter_too():
    theirs = optax.trace(0.8, nesterov=True)
    np.testing.assert_allclose(impulse_response(theirs, 9), impulse_response(trace(0.8, True), 9))
    assert noise_gain(theirs) == pytest.approx(noise_gain(trace(0.8, True)))


def test_what_never_forgets_sums_up_for_ever():
    assert dc_gain(trace(1.0)) == np.inf
    assert noise_gain(trace(1.0)) == np.inf
    assert half_life(trace(1.0)) == np.inf
    assert np.isnan(cutoff_frequency(trace(1.0)))
    assert noise_gain(trace(1.1)) == np.inf
    assert np.isinf(frequency_response(trace(1.0), [0.0]).response).all()


def test_what_is_never_damped_has_no_cutoff():
    assert np.isnan(cutoff_frequency(gdlab.scale(2.0)))


@pytest.mark.parametrize(
    "tx",
    [
        gdlab.adam(0.1),
        gdlab.clip(1.0),
        gdlab.clip(1e4),
        gdlab.scale_by_rms(),
        optax.scale_by_sign(),
        optax.scale_by_lion(),
    ],
    ids=["adam", "clip", "high clip", "scale_by_rms", "sign", "lion"],
)
def test_what_is_not_linear_is_refused(tx):
    for function in (
        lambda tx: impulse_response(tx, 5),
        lambda tx: step_response(tx, 5),
        frequency_response,
        dc_gain,
        noise_gain,
        half_life,
        cutoff_frequency,
        averaging_window,
    ):
        with pytest.raises(ValueError, match=r"is not linear: .* \(off by .*one of its averages"):
            function(tx)


def test_a_filter_whose_outputs_are_not_finite_is_refused():
    with pytest.raises(ValueError, match="updates that are not finite"):
        noise_gain(ema(jnp.array(np.nan)))


def test_other_decays_compile_nothing_and_the_precision_of_the_session_stays():
    def everything(beta):
        return [
            impulse_response(ema(beta), 7),
            step_response(ema(beta), 7),
            frequency_response(ema(beta), [0.0, 0.1]).response,
            *(f(ema(beta)) for f in (dc_gain, noise_gain, half_life, cutoff_frequency)),
        ]

    with jax.enable_x64(False):
        everything(0.5)
        assert count_compilations(lambda: everything(0.9)) == 0
        assert jnp.ones(()).dtype == jnp.float32
        narrow = everything(0.7)
    with jax.enable_x64(True):
        wide = everything(0.7)
    for one, other in zip(narrow, wide, strict=True):
        np.testing.assert_array_equal(one, other)

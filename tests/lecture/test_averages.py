"""Section 2 of the lecture: moving averages, as weights, as filters and as conventions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from jax import lax

import gdlab
from gdlab import debias, ema, identity
from tests.paths import agree, per_step

pytestmark = pytest.mark.x64

PRICES = [12.30, 11.00, 10.20, 10.50, 11.10]
VALUES = [7.5, 4.0, 6.0, 8.0]


def averages(tx, values):
    """What ``tx`` makes of a sequence of numbers (or of vectors), one after the other."""
    return np.asarray(_outputs(tx, jnp.asarray(values)))


@jax.jit
def _outputs(tx, values):
    return lax.scan(lambda state, x: tx.update(x, state)[::-1], tx.init(values[0]), values)[1]


# L12, L13: started at the first value


def test_L12_simple_moving_average_of_five_prices():
    mean = averages(gdlab.accumulate(identity(), 5), PRICES)
    agree(mean, [0, 0, 0, 0, 11.02])


def test_L12_average_that_forgets_as_one_over_t_is_the_simple_one_beside_the_exponential_one():
    t = np.arange(1, 6)
    simple = averages(ema(per_step(1 - 1 / t)), PRICES)
    agree(simple, np.cumsum(PRICES) / t)
    agree(simple[-1], 11.02)
    # The exponential one ends nearer to the last prices.
    assert averages(debias(ema(0.5)), PRICES)[-1] < simple[-1]


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        (0.2, [12.30, 11.26, 10.412, 10.4824, 10.97648]),
        (0.5, [12.30, 11.65, 10.925, 10.7125, 10.90625]),
    ],
)
def test_L13_exponential_average_started_at_the_first_value(decay, expected):
    agree(averages(ema(decay, initial_value=PRICES[0]), PRICES), expected)


# L14, L15: started at zero


def test_L14_exponential_average_started_at_zero():
    agree(averages(ema(0.9), VALUES), [0.75, 1.075, 1.5675, 2.21075])


def test_L15_bias_corrected_average():
    plain, corrected = averages(ema(0.9), VALUES), averages(debias(ema(0.9)), VALUES)
    np.testing.assert_allclose(corrected, [7.5, 5.6579, 5.7841, 6.4285], atol=5e-5)  # as printed
    agree(corrected, plain / (1 - 0.9 ** np.arange(1, 5)))


# L16: unrolled


def test_L16_value_k_steps_back_weighs_one_minus_beta_times_beta_to_the_k():
    # Halves are exact in binary, so that equality is.
    impulse = np.eye(1, 40)[0]
    np.testing.assert_array_equal(averages(ema(0.5), impulse), 0.5 * 0.5 ** np.arange(40))
    agree(averages(ema(0.9), impulse), 0.1 * 0.9 ** np.arange(40))


def test_L16_weights_sum_to_one_minus_beta_to_the_t():
    t = np.arange(1, 41)
    np.testing.assert_array_equal(averages(ema(0.5), np.ones(40)), 1 - 0.5**t)
    agree(averages(ema(0.9), np.ones(40)), 1 - 0.9**t)
    agree(averages(debias(ema(0.9)), np.ones(40)), np.ones(40))


def test_L16_weights_of_every_value_at_every_time():
    # The column of each impulse is one value's weight over time.
    t, k = np.indices((12, 12))
    weights = np.where(t >= k, 0.1 * 0.9 ** np.maximum(t - k, 0), 0)
    agree(averages(ema(0.9), np.eye(12)), weights)


# L17: a first-order low-pass filter


def gain(beta, omega):
    """The filter's gain at a frequency, from its settled response to a complex wave."""
    n = np.arange(4000)
    wave = np.exp(1j * omega * n)
    real, imaginary = averages(ema(beta), np.stack([wave.real, wave.imag], axis=1))[-1]
    return abs(real + 1j * imaginary)


def test_L17_average_is_the_convolution_with_its_impulse_response():
    x = np.random.default_rng(0).normal(size=60)
    response = averages(ema(0.8), np.eye(1, 60)[0])
    agree(response, 0.2 * 0.8 ** np.arange(60))
    agree(averages(ema(0.8), x), np.convolve(x, response)[:60])


def test_L17_average_is_the_recursive_filter_of_signal_processing():
    x = np.random.default_rng(1).normal(size=60)
    agree(averages(ema(0.8), x), scipy.signal.lfilter([0.2], [1, -0.8], x))


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9, 0.99])
def test_L17_gain_at_frequency_zero_is_one(beta):
    agree(gain(beta, 0.0), 1)


def test_L17_voltage_of_a_sampled_rc_filter_is_the_average_with_beta_e_to_the_minus_dt_over_rc():
    RC, dt = 0.7, 0.1
    source = np.random.default_rng(2).normal(size=50)
    # The capacitor at the end of each interval through which the source held its value.
    circuit = scipy.signal.StateSpace([[-1 / RC]], [[1 / RC]], [[1.0]], [[0.0]])
    held = np.append(source, 0.0)
    voltage = scipy.signal.lsim(circuit, held, dt * np.arange(51), interp=False)[1][1:]
    agree(averages(ema(np.exp(-dt / RC)), source), voltage)


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.9])
def test_L17_power_is_halved_at_the_corner_frequency(beta):
    corner = np.arccos((4 * beta - 1 - beta**2) / (2 * beta))
    agree(gain(beta, corner), np.sqrt(0.5))


def test_L17_corner_frequency_exists_only_above_three_minus_two_root_two():
    bound = 3 - 2 * np.sqrt(2)
    # The gain falls with the frequency; at the highest, values of alternating sign, it is least.
    assert gain(bound - 0.01, np.pi) > np.sqrt(0.5) > gain(bound + 0.01, np.pi)
    agree(gain(bound, np.pi), np.sqrt(0.5))


# L18: two conventions


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_L18_decay_weighs_the_old_value_where_two_sources_let_beta_weigh_the_new_one(beta):
    on_the_new = on_the_old = 0.0
    for x, ours in zip(VALUES, averages(ema(beta), VALUES), strict=True):
        on_the_old = beta * on_the_old + (1 - beta) * x  # B, C, E
        agree(ours, on_the_old)
    for x, ours in zip(VALUES, averages(ema(1 - beta), VALUES), strict=True):
        on_the_new = (1 - beta) * on_the_new + beta * x  # A, D
        agree(ours, on_the_new)


def test_L18_every_decay_of_gdlab_weighs_the_old_value():
    """With a decay of one nothing new is taken in, with a decay of zero nothing old is kept."""
    with jax.numpy_rank_promotion("allow"):
        for make in (ema, gdlab.nesterov_ema, gdlab.variance, gdlab.infinity_norm):
            last = averages(make(0.0), [[5.0], [3.0]])[-1], averages(make(0.0), [[3.0]])[-1]
            agree(*last)
    agree(averages(ema(1.0, initial_value=2.0), VALUES), np.full(4, 2.0))

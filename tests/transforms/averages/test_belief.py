"""Weights of averages divided out where the average itself is read uncorrected."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import belief, chain, debias, divide_by_weight, ema, linear_schedule

pytestmark = pytest.mark.x64

SIGNAL = np.random.default_rng(8).normal(size=(12, 3)) ** 2


def outputs(tx):
    state, every = tx.init(jnp.zeros(3)), []
    for g in SIGNAL:
        u, state = tx.update(jnp.asarray(g), state)
        every.append(np.asarray(u))
    return np.stack(every)


@pytest.mark.parametrize("decay", [0.9, linear_schedule(0.5, 0.99, 10)])
def test_average_over_its_weight_is_the_corrected_average(decay):
    by_hand = outputs(chain(ema(decay), divide_by_weight(decay)))
    np.testing.assert_allclose(by_hand, outputs(debias(ema(decay))), rtol=1e-13)


def test_weight_ahead_is_that_of_the_next_step():
    now, ahead = (outputs(divide_by_weight(0.9, ahead=flag)) for flag in (False, True))
    t = np.arange(1, 13)[:, None]
    np.testing.assert_allclose(ahead * (1 - 0.9 ** (t + 1)), now * (1 - 0.9**t))


def test_belief_without_an_epsilon_is_the_corrected_average_and_lags_by_one_step():
    average = outputs(debias(ema(0.9)))
    np.testing.assert_allclose(outputs(belief(0.9, 0.0)), average, rtol=1e-13)
    lagging = outputs(belief(0.9, 0.0, lagged=True))
    np.testing.assert_allclose(lagging, [np.ones(3), *average[:-1]], rtol=1e-13)


def test_epsilon_of_belief_gathers_to_a_multiple():
    plain, shifted = outputs(belief(0.9, 0.0)), outputs(belief(0.9, 1e-3))
    np.testing.assert_allclose(shifted - plain, 1e-3 / (1 - 0.9), rtol=1e-9)

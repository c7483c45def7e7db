"""Averages that start at their first value."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import chain, debias, ema, from_first, square

pytestmark = pytest.mark.x64

SIGNAL = np.random.default_rng(7).normal(size=(12, 3))


def outputs(tx):
    state, every = tx.init(jnp.zeros(3)), []
    for g in SIGNAL:
        u, state = tx.update(jnp.asarray(g), state)
        every.append(np.asarray(u))
    return np.stack(every)


def test_first_value_has_the_weight_of_all_that_was_before_it():
    ours = outputs(from_first(ema(0.8)))
    t = np.arange(12)
    for last in range(12):
        weights = 0.2 * 0.8 ** (last - t[: last + 1])
        weights[0] = 0.8**last
        np.testing.assert_allclose(weights.sum(), 1)
        np.testing.assert_allclose(ours[last], weights @ SIGNAL[: last + 1])


def test_it_needs_no_correction_and_differs_from_one_that_weighs_all_alike():
    ours, corrected = outputs(from_first(ema(0.8))), outputs(debias(ema(0.8)))
    np.testing.assert_allclose(ours[0], corrected[0])
    assert np.abs(ours[1:] - corrected[1:]).max() > 0.1


def test_lagging_average_hands_on_its_first_value_before_it_has_another():
    lagging = outputs(chain(square(), from_first(ema(0.8, lagged=True))))
    now = outputs(chain(square(), from_first(ema(0.8))))
    np.testing.assert_allclose(lagging[0], SIGNAL[0] ** 2)
    np.testing.assert_allclose(lagging[1:], now[:-1])

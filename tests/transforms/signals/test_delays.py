"""Delays and differences."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import chain, delay, difference

pytestmark = pytest.mark.x64

GRADS = np.random.default_rng(1).normal(size=(6, 3))


def outputs(tx, grads=GRADS):
    state, every = tx.init(jnp.asarray(grads[0])), []
    for g in grads:
        u, state = tx.update(jnp.asarray(g), state)
        every.append(np.asarray(u))
    return np.stack(every)


def test_delay_is_the_input_of_the_step_before():
    shifted = np.concatenate([np.zeros((1, 3)), GRADS[:-1]])
    np.testing.assert_array_equal(outputs(delay()), shifted)
    shifted[0] = GRADS[0]
    np.testing.assert_array_equal(outputs(delay(starts_at_first=True)), shifted)


def test_two_delays_are_a_delay_of_two_steps():
    expected = np.concatenate([np.zeros((2, 3)), GRADS[:-2]])
    np.testing.assert_array_equal(outputs(chain(delay(), delay())), expected)


def test_differences_add_up_to_the_way_from_the_first_input():
    sums = np.cumsum(outputs(difference()), axis=0)
    np.testing.assert_allclose(sums, GRADS - GRADS[0], atol=1e-15)


def test_a_first_input_that_is_not_finite_is_no_part_of_later_differences():
    grads = np.concatenate([np.full((1, 3), np.inf), GRADS])
    assert np.isfinite(outputs(delay(starts_at_first=True), grads)[2:]).all()

"""Caution around any method."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import adamw, cautious, chain, scale_by_adam, scale_by_learning_rate, sgd

pytestmark = pytest.mark.x64

GRADS = np.random.default_rng(3).normal(size=(20, 2, 5))


def updates_of(tx):
    params = jnp.ones((2, 5))
    state, every = tx.init(params), []
    for g in GRADS:
        u, state = tx.update(jnp.asarray(g), state, params)
        every.append(np.asarray(u))
    return np.stack(every)


@pytest.mark.parametrize("make", [lambda: adamw(0.1), lambda: sgd(0.1, momentum=0.9)])
def test_no_element_goes_against_the_gradient_and_the_others_are_scaled_alike(make):
    plain, careful = updates_of(make()), updates_of(cautious(make()))
    assert np.all(careful * GRADS <= 0)
    for u, c, g in zip(plain, careful, GRADS, strict=True):
        agrees = u * g < 0
        np.testing.assert_allclose(c, np.where(agrees, u * u.size / (agrees.sum() + 1), 0))


def test_gradient_descent_is_cautious_already():
    n = GRADS[0].size
    np.testing.assert_allclose(updates_of(cautious(sgd(0.1))), -0.1 * GRADS * n / (n + 1))


def test_caution_of_a_direction_is_that_of_the_step_it_becomes():
    of_direction = chain(cautious(scale_by_adam(), descends=False), scale_by_learning_rate(0.1))
    whole = cautious(chain(scale_by_adam(), scale_by_learning_rate(0.1)))
    np.testing.assert_allclose(updates_of(of_direction), updates_of(whole), rtol=1e-13)

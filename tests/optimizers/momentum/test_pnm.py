"""The two averages of positive–negative momentum."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, STEPS, agree, gdlab_path, steps_of

pytestmark = pytest.mark.x64


def test_without_the_negative_part_odd_and_even_gradients_are_averaged_apart():
    steps = steps_of(gdlab_path(partial(gdlab.pnm, b1=0.9, b0=0.0), np.ones(STEPS)))
    for parity in (0, 1):
        own = GRADS[parity::2]
        average = gdlab_path(
            partial(gdlab.sgd, momentum=0.81, averaging=True), np.ones(len(own)), own
        )
        agree(steps[parity::2], steps_of(average))


def test_step_of_a_constant_gradient_grows_to_the_gradient_over_the_normaliser():
    tx = gdlab.pnm(1.0, b1=0.5, b0=2.0)
    state = tx.init(jnp.asarray(PARAMS))
    for _ in range(100):
        updates, state = tx.update(jnp.asarray(PARAMS), state)
    agree(updates, -PARAMS / np.sqrt(3**2 + 2**2))


def test_step_without_memory_has_the_variance_of_the_gradient():
    gradients = np.random.default_rng(0).normal(size=(2, 20000))
    path = gdlab_path(partial(gdlab.pnm, b1=0.0, b0=1.0), np.ones(2), gradients, np.zeros(20000))
    assert np.std(steps_of(path, np.zeros(20000))[1]) == pytest.approx(1, abs=0.02)

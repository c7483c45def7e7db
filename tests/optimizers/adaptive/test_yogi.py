"""Yogi: a moment that falls by little where little comes, from zero."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, STEPS, agree, gdlab_path, optax_path

pytestmark = pytest.mark.x64


def test_zero_gradients_move_nothing_although_they_move_optaxs_parameters():
    """optax starts the average of gradients itself at 1e-6."""
    zeros = 0 * GRADS
    np.testing.assert_array_equal(gdlab_path(gdlab.yogi, grads=zeros), [PARAMS] * STEPS)
    with_start = partial(gdlab.yogi, initial_accumulator_value=1e-6)
    np.testing.assert_array_equal(gdlab_path(with_start, grads=zeros), [PARAMS] * STEPS)
    assert (optax_path(optax.yogi, grads=zeros)[0] < PARAMS - 1e-5).all()


def test_yogi_is_adagrad_while_gradients_grow():
    """v gains (1 − b2)·g² as long as it is below g², which it is for gradients that grow."""
    grads = np.geomspace(1e-3, 1.0, STEPS)[:, None] * np.ones(2)
    b2 = 0.999
    path = gdlab_path(
        lambda lr: gdlab.yogi(lr, 0.0, b2, 0.0, bias_correction=False),
        grads=grads,
        params=np.zeros(2),
    )
    adagrad = gdlab_path(lambda lr: gdlab.adagrad(lr, 0.0, 0.0), grads=grads, params=np.zeros(2))
    agree(path, adagrad / np.sqrt(1 - b2))


def test_moment_falls_by_a_share_of_what_comes():
    tx = gdlab.additive_moment(0.9, 100.0)
    state = tx.init(jnp.zeros(1))
    for t in range(1, 6):
        v, state = tx.update(jnp.ones(1), state)
        np.testing.assert_allclose(v, 100 - 0.1 * t)


def test_yogi_does_not_see_the_scale_of_the_loss_if_epsilon_has_it():
    agree(gdlab_path(partial(gdlab.yogi, eps=1e-3 * 50), grads=50 * GRADS), gdlab_path(gdlab.yogi))

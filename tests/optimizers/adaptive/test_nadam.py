"""Nadam: Dozat's momentum schedule, and what its correction makes of it."""

import jax
import numpy as np
import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path, steps_of

pytestmark = pytest.mark.x64


@pytest.mark.parametrize(
    ("momentum_decay", "first", "hundredth"), [(1.0, 0.468, 0.8924), (0.004, 0.4501, 0.4573)]
)
def test_momentum_of_dozat_rises_from_half_of_b1(momentum_decay, first, hundredth):
    mu = gdlab.dozat_momentum(0.9, momentum_decay)
    np.testing.assert_allclose([mu(0), mu(99)], [first, hundredth], atol=5e-5)
    np.testing.assert_allclose(mu(10**6), 0.9, rtol=1e-12)
    np.testing.assert_allclose(gdlab.dozat_momentum(0.9, momentum_decay, 1)(41), mu(42))


def test_steps_of_nadam_on_a_constant_gradient_are_long_at_first_and_then_of_size_eta():
    path = gdlab_path(
        lambda lr: gdlab.nadam(lr, 0.9, eps=0.0, momentum_decay=1.0),
        learning_rate=np.ones(400),
        grads=np.full((400, 1), -3.0),
        params=np.zeros(1),
    )
    steps = steps_of(path, np.zeros(1))[:, 0]
    t = np.arange(1, 402)
    mu = 0.9 * (1 - 0.5 * 0.96**t)
    lacking = np.cumprod(mu)
    law = mu[1:] * (1 - lacking[:-1]) / (1 - lacking[1:]) + (1 - mu[:-1]) / (1 - lacking[:-1])
    agree(steps, law)
    assert steps[0] > 1.2
    np.testing.assert_allclose(steps[-1], 1, rtol=1e-6)


def test_nadam_without_momentum_is_adam_without_momentum():
    settings = {"b1": 0.0, "b2": 0.9, "eps": 1e-3}
    agree(
        gdlab_path(lambda lr: gdlab.nadam(lr, **settings)),
        gdlab_path(lambda lr: gdlab.adam(lr, **settings)),
    )


def test_schedule_of_nadam_that_has_run_out_is_no_schedule():
    plain = gdlab_path(gdlab.nadam)
    agree(gdlab_path(lambda lr: gdlab.nadam(lr, momentum_decay=1e6)), plain)
    assert differ(gdlab_path(lambda lr: gdlab.nadam(lr, momentum_decay=1.0)), plain)


def test_momentum_decay_of_nadam_is_a_leaf_like_any_other():
    tx = gdlab.nadam(1e-3, momentum_decay=0.004)
    assert 0.004 in jax.tree.leaves(tx)
    set_later, set_at_once = (
        gdlab.set_hyperparameters(tx, {"momentum_decay": 1.0}),
        gdlab.nadam(1e-3, momentum_decay=1.0),
    )
    agree(gdlab_path(lambda lr: set_later), gdlab_path(lambda lr: set_at_once))

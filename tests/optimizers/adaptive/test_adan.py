"""Adan: the paper's weight of the change, and its decay at the new parameters."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, STEPS, agree, differ, gdlab_path, optax_path, torch_path

pytestmark = pytest.mark.x64


def test_change_of_the_gradient_weighs_b2_and_not_one_minus_b2():
    """The paper's 1 − β₂ with β₂ = 0.08; optax has the 0.08."""
    theirs = optax_path(partial(optax.adan, eps=1e-3, eps_root=0.0))
    ours = gdlab_path(partial(gdlab.adan, eps=1e-3))
    assert differ(ours, theirs)
    agree(ours, torch_path(lambda o, p: o.Adan(p, eps=1e-3), module="pytorch_optimizer"))


def test_steps_of_adan_on_a_constant_gradient_have_the_size_of_the_learning_rate():
    path = gdlab_path(
        lambda lr: gdlab.adan(lr, eps=0.0),
        learning_rate=np.ones(STEPS),
        grads=np.full((STEPS, 1), -3.0),
        params=np.zeros(1),
    )
    agree(path[:, 0], np.arange(1, STEPS + 1))


def test_adan_that_does_not_look_at_changes_is_adam():
    agree(
        gdlab_path(partial(gdlab.adan, b1=0.9, b2=0.0, b3=0.95)),
        gdlab_path(partial(gdlab.adam, b2=0.95)),
    )


def test_adan_does_not_see_the_scale_of_the_loss():
    make = partial(gdlab.adan, eps=0.0)
    agree(gdlab_path(make, grads=1e3 * GRADS), gdlab_path(make))


def test_decay_without_gradients_is_a_division():
    path = gdlab_path(partial(gdlab.adan, weight_decay=10.0), grads=0 * GRADS)
    divisors = 1 + 10 * np.geomspace(0.3, 0.01, STEPS) * (1 + 0.5 * np.sin(np.arange(STEPS)))
    agree(path, PARAMS / np.cumprod(divisors)[:, None])


def test_proximal_decay_is_the_minimiser_of_its_subproblem():
    """‖x − (w − ηg)‖²/2η + λ‖x‖²/2; it agrees with the explicit one to first order."""
    tx = gdlab.descend_with_proximal_decay(0.3, 0.5)
    w, g = jnp.array([2.0, -1.0]), jnp.array([1.0, 4.0])
    u, _ = tx.update(g, tx.init(w), w)
    x = w + u
    np.testing.assert_allclose((x - (w - 0.3 * g)) / 0.3 + 0.5 * x, 0, atol=1e-15)
    small = gdlab.descend_with_proximal_decay(1e-5, 0.5)
    explicit = -1e-5 * (g + 0.5 * w)
    np.testing.assert_allclose(small.update(g, small.init(w), w)[0], explicit, rtol=1e-4)

"""AdaBelief and ACProp: deviations from an average, and an ε that gathers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, agree, differ, gdlab_path, optax_path, steps_of

pytestmark = pytest.mark.x64

CONSTANT = {"learning_rate": np.ones(50), "grads": np.full((50, 1), -3.0), "params": np.zeros(1)}
T = np.arange(1, 51)


def test_average_of_gradients_is_kept_once():
    params = jnp.zeros((3, 2))
    for make in (gdlab.adabelief, gdlab.acprop):
        state = make(0.1).init(params)
        arrays = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == params.shape]
        assert len(arrays) == 2


def test_epsilon_gathers_in_the_second_moment():
    """Without gradients s is ε·(1 − b2ᵗ)/(1 − b2), and corrected ε/(1 − b2) from the first step."""
    tx = gdlab.scale_by_belief(b2=0.9, eps_root=1e-4)
    state = tx.init(jnp.zeros(1))
    for t in range(1, 20):
        _, state = tx.update(jnp.zeros(1), state)
        np.testing.assert_allclose(state.nu, 1e-4 * (1 - 0.9**t) / (1 - 0.9))
    outside = gdlab_path(lambda lr: gdlab.adabelief(lr, eps=1e-2, eps_root=0.0))
    assert differ(outside, gdlab_path(lambda lr: gdlab.adabelief(lr, eps=1e-2, eps_root=1e-4)))


def test_steps_of_adabelief_on_a_constant_gradient_grow_as_surprise_fades():
    path = gdlab_path(lambda lr: gdlab.adabelief(lr, b2=0.95, eps=0.0, eps_root=0.0), **CONSTANT)
    # g − m = g·b1ᵗ, whose squares average to a sum of powers of b1².
    s = 0.05 * 0.9**2 * (0.9 ** (2 * T) - 0.95**T) / (0.9**2 - 0.95) * 9
    agree(steps_of(path, np.zeros(1))[:, 0], 3 / np.sqrt(s / (1 - 0.95**T)))


def test_adabelief_does_not_see_the_scale_of_the_loss():
    make = partial(gdlab.adabelief, eps=0.0, eps_root=0.0)
    varying = GRADS[:, :1]
    arguments = {"params": np.zeros(1)}
    agree(
        gdlab_path(make, grads=1e3 * varying, **arguments),
        gdlab_path(make, grads=varying, **arguments),
    )


def test_adabelief_without_momentum_steps_by_a_root_of_its_epsilon():
    """With b1 = 0 nothing surprises: m = g."""
    path = gdlab_path(lambda lr: gdlab.adabelief(lr, 0.0, 0.9, 0.0, 0.1 * 0.1), **CONSTANT)
    agree(steps_of(path, np.zeros(1))[:, 0], np.full(50, 3 / np.sqrt(0.1)))


def test_first_step_of_acprop_is_that_of_gradient_descent():
    path = gdlab_path(gdlab.acprop, **CONSTANT)
    np.testing.assert_allclose(path[0], [3.0])


def test_present_gradient_has_no_part_in_its_own_scale():
    grads = np.array([[1.0], [3.0], [1e6]])
    path = gdlab_path(
        lambda lr: gdlab.acprop(lr, 0.5, 0.5, 0.0, 0.0),
        learning_rate=np.ones(3),
        grads=grads,
        params=np.zeros(1),
    )
    s1 = 0.5 * 0.5**2
    s2 = 0.5 * s1 + 0.5 * (3 - 1.75) ** 2
    steps = [1, 3 / np.sqrt(s1 / 0.5), 1e6 / np.sqrt(s2 / 0.75)]
    agree(steps_of(path, np.zeros(1))[:, 0], -np.array(steps))


def test_deviations_of_acprop_are_from_the_average_that_knows_the_gradient():
    """optax takes the one before, 1/b1 times as far away."""
    import optax

    theirs = optax_path(partial(optax.contrib.acprop, b1=0.5, eps=1e-3, eps_root=0.0))
    assert differ(gdlab_path(lambda lr: gdlab.acprop(lr, 0.5, eps=1e-3, eps_root=0.0)), theirs)

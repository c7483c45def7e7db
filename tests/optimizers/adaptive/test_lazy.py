"""MADGRAD, FTRL, sparse and optimistic Adam, Amos: what they are made of, and what they keep."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    PARAMS,
    STEPS,
    agree,
    differ,
    gdlab_path,
    optax_path,
    steps_of,
)

pytestmark = pytest.mark.x64

T = np.arange(1, STEPS + 1)


# MADGRAD


def test_displacement_of_madgrad_on_a_constant_gradient_is_a_cube_root():
    path = gdlab_path(
        lambda lr: gdlab.madgrad(lr, 0.0, eps=0.0),
        learning_rate=np.full(STEPS, 0.1),
        grads=np.full((STEPS, 1), -3.0),
        params=np.zeros(1),
    )
    agree(path[:, 0], np.cbrt(3 * np.cumsum(0.1 * np.sqrt(T)) ** 2))


def test_displacement_of_madgrad_scales_with_roots_of_loss_and_learning_rate():
    make = partial(gdlab.madgrad, eps=0.0)
    plain = gdlab_path(make) - PARAMS
    agree(gdlab_path(make, grads=8 * GRADS) - PARAMS, 2 * plain)
    agree(gdlab_path(make, 8 * LEARNING_RATE) - PARAMS, 4 * plain)


def test_root_of_madgrad_is_cubic():
    """With a square root the scale of the loss would not matter."""
    square_root = lambda lr: gdlab.chain(  # noqa: E731
        gdlab.fork(
            gdlab.ratio(),
            gdlab.chain(gdlab.scale(lr), gdlab.trace(1.0)),
            gdlab.chain(gdlab.square(), gdlab.scale(lr), gdlab.trace(1.0)),
        ),
        gdlab.scale(-1.0),
        gdlab.from_start(),
    )
    agree(gdlab_path(square_root, grads=8 * GRADS), gdlab_path(square_root))


# FTRL


def test_ftrl_without_regularisation_is_adagrad_from_zero_at_a_constant_learning_rate():
    arguments = {"learning_rate": np.full(STEPS, 0.2), "params": np.zeros(5)}
    varying = GRADS[:, :4]
    arguments |= {"grads": varying, "params": np.zeros(4)}
    agree(
        gdlab_path(gdlab.ftrl, **arguments),
        gdlab_path(lambda lr: gdlab.adagrad(lr, 0.1, 0.0), **arguments),
    )


def test_weights_of_ftrl_whose_gradients_add_up_to_less_than_l1_are_zero():
    path = gdlab_path(
        partial(gdlab.ftrl, l1_regularization_strength=1.0),
        learning_rate=np.full(4, 0.1),
        grads=np.array([[0.4, 2.0], [-0.3, 2.0], [0.7, 2.0], [0.1, 2.0]]),
        params=np.zeros(2),
    )
    np.testing.assert_array_equal(path[:, 0], np.zeros(4))
    assert (path[:, 1] < 0).all()


def test_ftrl_starts_when_the_learning_rate_does():
    rates = np.where(np.arange(STEPS) < 2, 0.0, 0.1)
    path = gdlab_path(gdlab.ftrl, rates)
    agree(path[:2], np.stack([PARAMS] * 2))
    agree(path[2:], gdlab_path(gdlab.ftrl, rates[2:], GRADS[2:]))


def test_ftrl_forgets_where_it_starts_in_its_first_step():
    zeros = gdlab_path(gdlab.ftrl, grads=0 * GRADS)
    np.testing.assert_array_equal(zeros, 0 * zeros)


def test_ftrl_minimises_its_sum_of_losses_and_distances():
    """w minimises z·w + l1|w| + (l2 + (β + √n)/2η)·w²: no element can be moved for the better."""
    eta, l1, l2, beta = 0.3, 0.5, 0.2, 1.0
    tx = gdlab.ftrl(eta, l1_regularization_strength=l1, l2_regularization_strength=l2, beta=beta)
    w, state = jnp.zeros(5), tx.init(jnp.zeros(5))
    for g in GRADS[:10]:
        u, state = tx.update(jnp.asarray(g), state, w)
        w = w + u
    cost = lambda w: (  # noqa: E731
        state.linear * w + l1 * np.abs(w) + (l2 + (beta + np.sqrt(state.nu)) / (2 * eta)) * w**2
    )
    for nudge in (-1e-3, 1e-3):
        assert (cost(w + nudge) > cost(w)).all()


# Sparse Adam


def test_sparse_adam_is_adam_where_each_row_has_a_gradient():
    matrices = np.random.default_rng(2).normal(size=(STEPS, 3, 2))
    arguments = {"grads": matrices, "params": np.ones((3, 2))}
    agree(gdlab_path(gdlab.sparse_adam, **arguments), gdlab_path(gdlab.adam, **arguments))


def test_rows_without_a_gradient_rest_and_keep_their_moments():
    rng = np.random.default_rng(3)
    tx = gdlab.sparse_adam(0.1)
    params = jnp.asarray(rng.normal(size=(4, 3)))
    state = tx.init(params)
    for step in range(6):
        gradient = np.zeros((4, 3))
        gradient[step % 4] = [1.0, 0.0, -1.0]
        before = state
        u, state = tx.update(jnp.asarray(gradient), state)
        others = np.arange(4) != step % 4
        np.testing.assert_array_equal(u[others], 0)
        for now, then in ((state.mu, before.mu), (state.nu, before.nu)):
            np.testing.assert_array_equal(now[others], then[others])
            assert (now[step % 4] != then[step % 4]).any()
    dense = gdlab.adam(0.1)
    moved, _ = dense.update(jnp.zeros((4, 3)), dense.update(params, dense.init(params))[1])
    assert (moved != 0).all()


def test_reduced_moments_have_no_rows_and_go_on():
    average = gdlab.chain(gdlab.square(), gdlab.mean_over(), gdlab.ema(0.5))
    tx = gdlab.where_touched(gdlab.fork(gdlab.ratio(1.0), gdlab.identity(), nu=average))
    gradient = jnp.array([[2.0], [0.0]])
    u, state = tx.update(gradient, tx.init(gradient))
    np.testing.assert_allclose(jax.tree.leaves(state.nu), [[[1.0]]])
    np.testing.assert_allclose(u, [[1.0], [0.0]])


# Optimistic Adam


def test_optimistic_adam_is_optaxs_at_a_learning_rate_that_stands():
    constant = np.full(STEPS, 0.1)
    with pytest.warns(DeprecationWarning, match="optimistic_adam_v2"):
        theirs = optax_path(
            lambda _: optax.optimistic_adam(0.1, 0.3, eps=1e-3, nesterov=True), constant
        )
    ours = partial(gdlab.optimistic_adam, optimism=0.3, eps=1e-3, nesterov=True)
    agree(gdlab_path(ours, constant), theirs)


def test_both_forms_of_optimistic_adam_agree_where_their_rates_do():
    agree(gdlab_path(gdlab.optimistic_adam), gdlab_path(gdlab.optimistic_adam_v2))
    without = partial(gdlab.optimistic_adam_v2, beta=0.0)
    agree(gdlab_path(without), gdlab_path(gdlab.adam))
    assert differ(gdlab_path(gdlab.optimistic_adam_v2), gdlab_path(gdlab.adam))


def test_look_ahead_of_nesterov_is_optaxs_addition_to_optimistic_adam():
    ahead = optax_path(partial(optax.optimistic_adam_v2, eps=1e-3))
    agree(gdlab_path(partial(gdlab.optimistic_adam_v2, eps=1e-3, nesterov=True)), ahead)
    assert differ(gdlab_path(partial(gdlab.optimistic_adam_v2, eps=1e-3)), ahead)


# Amos


def test_first_step_of_amos_has_the_size_of_its_model_without_weights():
    gradient = np.random.default_rng(4).normal(size=(1, 6, 2))
    path = gdlab_path(gdlab.amos, np.full(1, 0.01), gradient, np.zeros((6, 2)))
    np.testing.assert_allclose(np.sqrt(np.mean(path**2)), 0.01 * np.sqrt(2 / 6))


def test_amos_does_not_see_the_scale_of_gradients_and_scales_with_that_of_its_model():
    rates = 0.1 * LEARNING_RATE
    make = partial(gdlab.amos, eta=0.5, eps=0.0)
    plain = gdlab_path(make, rates)
    agree(gdlab_path(make, rates, 1e3 * GRADS), plain)
    larger = partial(gdlab.amos, eta=2.0, d_coef=0.25 / 2, eps=0.0)
    agree(gdlab_path(larger, rates, params=4 * PARAMS), 4 * plain)


def test_decays_of_amos_fall_as_training_goes_on():
    path = gdlab_path(
        lambda lr: gdlab.amos(lr, 0.5, d_coef=1.0),
        learning_rate=np.full(300, 0.3),
        grads=np.full((300, 1), -3.0),
        params=np.zeros(1),
    )
    lengths = np.abs(steps_of(path, np.zeros(1))[:, 0])
    assert lengths[-1] < 0.3 * lengths[0]

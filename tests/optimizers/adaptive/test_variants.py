"""Variants of Adam: what they are at the ends of their ranges, on constants, and at any scale."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import chain, debias, ema, fork, identity, ratio, scale_by_learning_rate, square
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    PARAMS,
    STEPS,
    agree,
    differ,
    gdlab_path,
    keras_path,
    steps_of,
)

pytestmark = pytest.mark.x64

CONSTANT = {
    "learning_rate": np.ones(STEPS),
    "grads": np.full((STEPS, 1), -3.0),
    "params": np.zeros(1),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "make",
    [
        partial(gdlab.adamaxw, eps=0.0, weight_decay=0.1),
        partial(gdlab.nadamw, eps=0.0, weight_decay=0.1),
        partial(gdlab.lamb, eps=0.0, weight_decay=0.1),
        partial(gdlab.novograd, eps=0.0, weight_decay=0.1),
        partial(gdlab.laprop, eps=0.0, weight_decay=0.1),
        partial(gdlab.stable_adamw, eps=0.0, weight_decay=0.1),
        partial(gdlab.adam_atan2, weight_decay=0.1),
        partial(gdlab.grams, eps=0.0, weight_decay=0.1),
        partial(gdlab.adamc, eps=0.0, weight_decay=0.1, max_learning_rate=1.0),
        partial(gdlab.qhadam, eps=0.0, nu2=0.9),
    ],
)
def test_scale_of_the_loss_changes_nothing(make):
    agree(gdlab_path(make, grads=2**-20 * GRADS), gdlab_path(make))


def test_steps_on_a_constant_gradient_have_the_size_of_the_learning_rate():
    for make in (
        partial(gdlab.laprop, eps=0.0),
        partial(gdlab.stable_adamw, eps=0.0, weight_decay=0.0),
        gdlab.adam_atan2,
        partial(gdlab.grams, eps=0.0),
        partial(gdlab.qhadam, eps=0.0, nu2=0.3),
        partial(gdlab.adamaxw, eps=0.0, weight_decay=0.0),
    ):
        agree(steps_of(gdlab_path(make, **CONSTANT), np.zeros(1)), np.ones((STEPS, 1)))


# AdaMax


def test_steps_of_adamax_are_bounded_by_its_decays_and_reach_the_bound():
    b1, b2 = 0.5, 0.75
    bound = b2 * (1 - b1) / (b2 - b1)
    grads = np.concatenate([GRADS, b2 ** np.arange(STEPS)[:, None] * np.ones(5)])
    rates = np.ones(2 * STEPS)
    path = gdlab_path(lambda lr: gdlab.adamax(lr, b1, b2, 0.0), rates, grads)
    lengths = np.abs(steps_of(path))
    assert lengths.max() <= bound + 1e-12
    assert lengths.max() > 0.99 * bound


# Nadam


def test_nadam_and_adam_one_step_ahead_are_one_method_under_optaxs_two_names():
    plain, decayed = {"eps": 1e-3}, {"eps": 1e-3, "weight_decay": 0.1}
    agree(
        gdlab_path(lambda lr: gdlab.nadam(lr, **plain)),
        gdlab_path(lambda lr: gdlab.adam(lr, **plain, nesterov=True)),
    )
    agree(
        gdlab_path(lambda lr: gdlab.nadamw(lr, **decayed)),
        gdlab_path(lambda lr: gdlab.adamw(lr, **decayed, nesterov=True)),
    )


# LAMB


def test_decay_of_lamb_is_part_of_the_direction_whose_norm_is_taken():
    """Outside, as Keras has it, it shortens the weights in a step that is not scaled."""
    inside = gdlab_path(partial(gdlab.lamb, weight_decay=0.5))
    outside = keras_path(lambda o: o.Lamb(epsilon=1e-6, weight_decay=0.5))
    assert differ(inside, outside)
    lengths = np.linalg.norm(steps_of(inside), axis=1)
    before = np.concatenate([PARAMS[None], inside[:-1]])
    agree(lengths, LEARNING_RATE * np.linalg.norm(before, axis=1))


def test_lamb_does_not_see_the_scale_of_weights_without_decay():
    make = partial(gdlab.lamb, eps=0.0)
    agree(gdlab_path(make, grads=GRADS / 7, params=7 * PARAMS), 7 * gdlab_path(make))


# NovoGrad


def test_steps_of_novograd_on_a_constant_gradient_are_a_geometric_sum_of_unit_vectors():
    gradient = np.array([3.0, 4.0])
    path = gdlab_path(
        lambda lr: gdlab.novograd(lr, eps=0.0),
        learning_rate=np.ones(STEPS),
        grads=np.tile(gradient, (STEPS, 1)),
        params=np.zeros(2),
    )
    lengths = (1 - 0.9 ** np.arange(1, STEPS + 1)) / (1 - 0.9)
    agree(steps_of(path, np.zeros(2)), -lengths[:, None] * gradient / 5)


def test_rotating_an_array_rotates_the_path_of_novograd():
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    make = partial(gdlab.novograd, weight_decay=0.1)
    agree(gdlab_path(make, grads=GRADS @ turn, params=PARAMS @ turn), gdlab_path(make) @ turn)


def test_second_moment_of_novograd_is_one_number_for_each_array_and_starts_at_the_first():
    tx = gdlab.scale_by_novograd()
    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(4)}
    _, state = tx.update(params, tx.init(params), params)
    assert {name: nu.size for name, nu in state.nu.items()} == {"w": 1, "b": 1}
    np.testing.assert_allclose([state.nu["w"].item(), state.nu["b"].item()], [6.0, 4.0])


# LaProp


def test_laprop_without_momentum_is_rmsprop_with_a_correction():
    agree(
        gdlab_path(lambda lr: gdlab.laprop(lr, 0.0, 0.95, 1e-3)),
        gdlab_path(
            lambda lr: gdlab.rmsprop(lr, 0.95, 1e-3, eps_in_sqrt=False, bias_correction=True)
        ),
    )


def test_laprop_keeps_learning_rates_in_its_momentum_or_does_not_alike_where_they_are_constant():
    inside = partial(gdlab.laprop, learning_rate_in_momentum=True)
    constant = np.full(STEPS, 0.1)
    agree(gdlab_path(inside, constant), gdlab_path(gdlab.laprop, constant))
    assert differ(gdlab_path(inside), gdlab_path(gdlab.laprop))


def test_laprop_waits_while_the_learning_rates_in_its_momentum_are_zero():
    rates = np.where(np.arange(STEPS) < 2, 0.0, 0.1)
    path = gdlab_path(partial(gdlab.laprop, learning_rate_in_momentum=True), rates)
    agree(path[:2], np.stack([PARAMS] * 2))
    assert np.isfinite(path).all()
    assert differ(path[2], path[1])


def test_steps_of_laprop_are_bounded_where_those_of_adam_are_not():
    """Reddi-like bursts: b1 above the root of b2 lets Adam divide old gradients by nothing."""
    burst = np.zeros((STEPS, 1))
    burst[3] = 1.0
    make = {"b1": 0.9, "b2": 0.25, "eps": 1e-12}
    arguments = {"learning_rate": np.ones(STEPS), "grads": burst, "params": np.zeros(1)}
    laprop = steps_of(gdlab_path(lambda lr: gdlab.laprop(lr, **make), **arguments), np.zeros(1))
    adam = steps_of(gdlab_path(lambda lr: gdlab.adam(lr, **make), **arguments), np.zeros(1))
    assert np.abs(laprop).max() <= 1 / np.sqrt(1 - 0.25)
    assert np.abs(adam).max() > 1e4


# StableAdamW


def test_stable_adamw_is_adamw_while_gradients_keep_their_size():
    signs = np.sign(np.random.default_rng(1).normal(size=(STEPS, 5)))
    settings = {"b1": 0.9, "b2": 0.95, "eps": 1e-8, "weight_decay": 0.1}
    agree(
        gdlab_path(lambda lr: gdlab.stable_adamw(lr, **settings), grads=signs),
        gdlab_path(lambda lr: gdlab.adamw(lr, **settings), grads=signs),
    )


def test_stable_adamw_shortens_the_step_of_a_surprise_with_its_decay():
    grads = np.concatenate([np.full((20, 2), 1e-3), np.full((1, 2), 1.0)])
    settings = {"b1": 0.0, "b2": 0.99, "eps": 0.0, "weight_decay": 0.5}
    arguments = {"learning_rate": np.ones(21), "grads": grads, "params": np.ones(2)}
    stable = gdlab_path(lambda lr: gdlab.stable_adamw(lr, **settings), **arguments)
    before = stable[-2]
    v = (1 - 0.99) / (1 - 0.99**21) + 1e-6 * (0.99 - 0.99**21) / (1 - 0.99**21)
    surprise = 1 / np.sqrt(v)
    assert surprise > 4
    agree(stable[-1] - before, -(1 / np.sqrt(v) + 0.5 * before) / surprise)


# Adam-atan2


def test_adam_atan2_moves_alike_at_scales_where_every_epsilon_is_larger_than_gradients():
    """Second moments of 1e-240 are still numbers of float64."""
    agree(gdlab_path(gdlab.adam_atan2, grads=2.0**-400 * GRADS), gdlab_path(gdlab.adam_atan2))


def test_adam_atan2_is_adam_for_small_ratios_and_bounded_for_large_ones():
    wide = partial(gdlab.adam_atan2, a=1e6, b=1e6)
    np.testing.assert_allclose(
        gdlab_path(wide), gdlab_path(partial(gdlab.adam, eps=0.0)), rtol=1e-10, atol=1e-10
    )
    lengths = np.abs(steps_of(gdlab_path(gdlab.adam_atan2, learning_rate=np.ones(STEPS))))
    assert lengths.max() <= 2


# Padam


def test_padam_is_amsgrad_at_one_half_and_adam_without_the_maximum():
    settings = {"b2": 0.9, "eps": 1e-3}
    half = partial(gdlab.padam, partial=0.5, **settings)
    agree(
        gdlab_path(partial(half, amsgrad=False)),
        gdlab_path(lambda lr: gdlab.adam(lr, b2=0.9, eps=0.0, eps_root=1e-3)),
    )
    agree(
        gdlab_path(half), gdlab_path(lambda lr: gdlab.amsgrad(lr, b2=0.9, eps=0.0, eps_root=1e-3))
    )


def test_padam_is_momentum_at_power_zero():
    momentum = lambda lr: chain(debias(ema(0.9)), scale_by_learning_rate(lr))  # noqa: E731
    agree(gdlab_path(partial(gdlab.padam, partial=0.0)), gdlab_path(momentum))


def test_steps_of_padam_scale_with_a_power_of_the_loss():
    make = partial(gdlab.padam, partial=0.125, eps=0.0)
    plain = steps_of(gdlab_path(make))
    agree(steps_of(gdlab_path(make, grads=16 * GRADS)), 16**0.75 * plain)


# Grams


def test_no_element_of_grams_goes_against_its_gradient():
    steps = steps_of(gdlab_path(gdlab.grams))
    adam = steps_of(gdlab_path(gdlab.adam))
    agree(steps, -np.sign(GRADS) * np.abs(adam))
    assert (adam * GRADS > 0).any()


# AdamC


def test_adamc_at_a_constant_learning_rate_is_adamw():
    constant = np.full(STEPS, 0.1)
    agree(
        gdlab_path(partial(gdlab.adamc, weight_decay=0.3, max_learning_rate=0.1), constant),
        gdlab_path(partial(gdlab.adamw, weight_decay=0.3), constant),
    )


def test_decay_of_adamc_falls_with_the_square_of_the_learning_rate():
    path = gdlab_path(
        partial(gdlab.adamc, weight_decay=0.3, max_learning_rate=0.5), grads=0 * GRADS
    )
    agree(path, PARAMS * np.cumprod(1 - 0.3 * LEARNING_RATE**2 / 0.5)[:, None])


# QHAdam


def test_qhadam_is_adam_and_rmsprop_at_the_ends_of_its_weights():
    shared = {"b1": 0.9, "b2": 0.95, "eps": 1e-3}
    agree(
        gdlab_path(partial(gdlab.qhadam, nu1=1.0, nu2=1.0, **shared)),
        gdlab_path(partial(gdlab.adam, **shared)),
    )
    agree(
        gdlab_path(partial(gdlab.qhadam, nu1=0.0, nu2=1.0, **shared)),
        gdlab_path(
            lambda lr: chain(
                fork(ratio(1e-3), identity(), chain(square(), debias(ema(0.95)))),
                scale_by_learning_rate(lr),
            )
        ),
    )


def test_qhadam_tends_to_nadam_where_the_gradient_keeps_the_weight_of_its_average():
    steps = 400
    grads = np.random.default_rng(6).normal(size=(steps, 3))
    arguments = {"learning_rate": np.ones(steps), "grads": grads, "params": np.zeros(3)}
    ours = gdlab_path(partial(gdlab.qhadam, b1=0.9, nu1=0.9), **arguments)
    nadam = gdlab_path(gdlab.nadam, **arguments)
    agree(np.diff(ours, axis=0)[-50:], np.diff(nadam, axis=0)[-50:])


def test_steps_of_qhadam_without_momentum_are_bounded_by_its_second_weight():
    path = gdlab_path(
        partial(gdlab.qhadam, nu1=0.0, nu2=0.75, eps=0.0), learning_rate=np.ones(STEPS)
    )
    assert np.abs(steps_of(path)).max() <= 1 / np.sqrt(1 - 0.75)


# Without a gradient


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "make",
    [
        partial(gdlab.ademamix, eps=0.0),
        partial(gdlab.simplified_ademamix, eps=0.0),
        partial(gdlab.adopt, eps=0.0),
        partial(gdlab.mars, eps=0.0, adam_weight_decay=0.0),
        partial(gdlab.radam, eps=0.0),
        partial(gdlab.adabelief, eps=0.0, eps_root=0.0),
        partial(gdlab.acprop, eps=0.0, eps_root=0.0),
        partial(gdlab.yogi, eps=0.0),
        partial(gdlab.adan, eps=0.0),
        partial(gdlab.adamaxw, eps=0.0, weight_decay=0.0),
        partial(gdlab.lamb, eps=0.0),
        partial(gdlab.novograd, eps=0.0),
        partial(gdlab.laprop, eps=0.0),
        partial(gdlab.stable_adamw, eps=0.0, weight_decay=0.0),
        gdlab.adam_atan2,
        partial(gdlab.padam, eps=0.0),
        partial(gdlab.grams, eps=0.0),
        partial(gdlab.qhadam, eps=0.0),
        partial(gdlab.madgrad, eps=0.0),
        partial(gdlab.sparse_adam, eps=0.0),
        partial(gdlab.amos, eps=0.0),
    ],
)
def test_zero_gradients_move_nothing_even_without_an_epsilon(make):
    path = gdlab_path(make, LEARNING_RATE[:4], 0 * GRADS[:4])
    np.testing.assert_array_equal(path, np.tile(PARAMS, (4, 1)))

"""Adam: literally momentum ∘ RMS scaling ∘ bias correction, and what follows from that."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import bias_correction, chain, debias, ema, expand, fork, ratio, square
from gdlab import scale_by_learning_rate as scaled
from tests import references as ref
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    PARAMS,
    STEPS,
    agree,
    differ,
    gdlab_path,
    path_along,
    path_down,
    per_step,
)

BY_HAND = chain(
    fork(ratio(eps=1e-8), mu=debias(ema(0.9)), nu=chain(square(), debias(ema(0.999)))), scaled(1e-3)
)


# The composition


def test_expanded_adam_is_written_like_the_composition_by_hand():
    assert repr(expand(gdlab.adam(1e-3))) == repr(BY_HAND)
    assert repr(BY_HAND) == (
        "chain(fork(ratio(eps=1e-08), mu=debias(ema(0.9)), "
        "nu=chain(square(), debias(ema(0.999)))), scale_by_learning_rate(0.001))"
    )


def test_expanded_adam_has_the_leaves_of_the_composition_by_hand():
    expanded = expand(gdlab.adam(1e-3))
    assert jax.tree.structure(expanded) == jax.tree.structure(BY_HAND)
    assert jax.tree.leaves(expanded) == jax.tree.leaves(BY_HAND) == [1e-8, 0.9, 0.999, 1e-3]


def test_leaves_of_adam_have_the_names_of_its_arguments():
    assert gdlab.hyperparameters(gdlab.adam(1e-3)) == {
        "learning_rate": 1e-3,
        "b1": 0.9,
        "b2": 0.999,
        "eps": 1e-8,
    }


@pytest.mark.x64
@pytest.mark.parametrize("other", [BY_HAND, expand(gdlab.adam(1e-3))], ids=["by hand", "expanded"])
def test_adam_and_its_composition_are_the_same_operations_in_the_same_order(other):
    # Their numbers come as arguments in another order, so that they are not one program, and
    # nothing promises that two are rounded alike.
    arguments = jnp.asarray(GRADS), jnp.asarray(PARAMS)
    own, composed = (
        re.findall(r"stablehlo\.\w+", path_along.lower(tx, *arguments).as_text())
        for tx in (gdlab.adam(1e-3), other)
    )
    assert own == composed
    assert "stablehlo.sqrt" in own
    agree(path_along(gdlab.adam(1e-3), *arguments), path_along(other, *arguments))


def test_state_of_adam_is_that_of_its_composition():
    params = {"w": jnp.ones(3), "b": jnp.ones(())}
    states = [tx.init(params) for tx in (gdlab.adam(1e-3), BY_HAND)]
    assert jax.tree.structure(states[0]) == jax.tree.structure(states[1])


# The plain chain of three links: two ε in two places


def three_links(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    adaptive = fork(ratio(eps=eps), ema(b1), chain(square(), ema(b2)))
    return chain(adaptive, bias_correction(b1, b2), scaled(learning_rate))


@pytest.mark.x64
def test_three_links_are_adam_with_an_epsilon_that_falls_to_theirs():
    eps_hat, b2 = 0.1, 0.95
    t = np.arange(1, STEPS + 1)
    eps = per_step(eps_hat / np.sqrt(1 - b2**t))
    efficient = gdlab_path(lambda lr: three_links(lr, b2=b2, eps=eps_hat))
    agree(efficient, gdlab_path(lambda lr: gdlab.adam(lr, b2=b2, eps=eps)))
    assert differ(efficient, gdlab_path(lambda lr: gdlab.adam(lr, b2=b2, eps=eps_hat)))


@pytest.mark.x64
def test_without_an_epsilon_three_links_are_adam():
    agree(
        gdlab_path(lambda lr: three_links(lr, eps=0.0)),
        gdlab_path(lambda lr: gdlab.adam(lr, eps=0.0)),
    )


# Identities


@pytest.mark.x64
def test_adam_that_forgets_at_once_steps_by_the_sign():
    path = gdlab_path(lambda lr: gdlab.adam(lr, 0.0, 0.0, 0.0))
    agree(path, PARAMS - np.cumsum(LEARNING_RATE[:, None] * np.sign(GRADS), axis=0))


@pytest.mark.x64
def test_adam_does_not_see_the_units_of_the_loss_if_epsilon_has_them_too():
    small = gdlab_path(lambda lr: gdlab.adam(lr, eps=1e-3))
    large = gdlab_path(lambda lr: gdlab.adam(lr, eps=1.0), grads=1000 * GRADS)
    agree(small, large)
    assert differ(small, gdlab_path(lambda lr: gdlab.adam(lr, eps=1e-3), grads=1e-3 * GRADS))


@pytest.mark.x64
def test_adamw_without_decay_is_adam_and_its_decay_is_not_scaled_by_the_gradients():
    agree(
        gdlab_path(lambda lr: gdlab.adamw(lr, weight_decay=0.0)),
        gdlab_path(gdlab.adam),
    )
    # A column without gradients decays by the learning rate alone.
    path = gdlab_path(lambda lr: gdlab.adamw(lr, weight_decay=0.1))
    agree(path[:, 4], PARAMS[4] * np.cumprod(1 - 0.1 * LEARNING_RATE))


@pytest.mark.x64
def test_coupled_decay_before_adam_is_scaled_away_and_decoupled_decay_is_not():
    w = 1e3 * jnp.ones(1)
    coupled = chain(gdlab.add_decayed_weights(0.1), gdlab.adam(0.01, eps=0.0))
    path = path_down(coupled, jnp.zeros_like, w, 1)
    agree(np.diff(np.asarray(path), axis=0), -0.01 * np.ones((1, 1)))
    path = path_down(gdlab.adamw(0.01, weight_decay=0.1), jnp.zeros_like, w, 1)
    agree(path[1], w * (1 - 0.001))


# Precision


@pytest.mark.parametrize("b2", [0.999, 0.99999])
def test_direction_of_adam_in_float32_is_right_to_the_last_bits_over_a_thousand_steps(b2):
    rng = np.random.default_rng(0)
    grads = np.float32(rng.normal(size=(1000, 64)) * rng.lognormal(size=64))
    tx = gdlab.scale_by_adam(0.9, b2)

    def step(state, g):
        direction, state = tx.update(g, state)
        return state, direction

    start = tx.init(jnp.zeros(64))
    directions = jax.jit(lambda: jax.lax.scan(step, start, jnp.asarray(grads))[1])()
    path = ref.adam(grads, np.zeros(64), learning_rate=np.ones(1000), b2=b2)
    expected = -np.diff(path, axis=0, prepend=np.zeros((1, 64)))
    # A dozen roundings of 6e-8, on directions up to 1; a cancelling correction would be at 1e-3.
    np.testing.assert_allclose(directions, expected, rtol=0, atol=2.5e-6)

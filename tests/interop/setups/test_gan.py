"""A generative adversarial network with an Adam for each player, as in DCGAN."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.runs import Run, assert_alike

pytestmark = [
    pytest.mark.slow,
    pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard"),
]

STEPS, BATCH, NOISE = 400, 64, 4


def networks(key):
    keys = jax.random.split(key)
    return {
        "generator": eqx.nn.MLP(NOISE, 2, 24, 2, key=keys[0]),
        "discriminator": eqx.nn.MLP(2, "scalar", 24, 2, key=keys[1]),
    }


def mixture(key):
    """Points of a mixture of four narrow Gaussians."""
    corners = jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    which, noise = jax.random.split(key)
    centers = corners[jax.random.randint(which, (BATCH,), 0, 4)]
    return centers + 0.1 * jax.random.normal(noise, (BATCH, 2))


def generated(generator, key):
    return jax.vmap(generator)(jax.random.normal(key, (BATCH, NOISE)))


def generator_loss(generator, discriminator, key):
    fake = generated(generator, key)
    return jnp.mean(jax.nn.softplus(-jax.vmap(discriminator)(fake)))


def discriminator_loss(discriminator, generator, key):
    keys = jax.random.split(key)
    real, fake = mixture(keys[0]), generated(generator, keys[1])
    score = jax.vmap(discriminator)
    return jnp.mean(jax.nn.softplus(-score(real))) + jnp.mean(jax.nn.softplus(score(fake)))


def losses_and_gradients(generator, discriminator, key):
    g_key, d_key = jax.random.split(key)
    g_loss, g_grads = eqx.filter_value_and_grad(generator_loss)(generator, discriminator, g_key)
    d_loss, d_grads = eqx.filter_value_and_grad(discriminator_loss)(discriminator, generator, d_key)
    return jnp.stack([g_loss, d_loss]), g_grads, d_grads


def train(optax):
    generator, discriminator = networks(jax.random.key(0)).values()
    g_optimizer = optax.adam(2e-3, b1=0.5, b2=0.999)
    d_optimizer = optax.adam(4e-3, b1=0.5, b2=0.999)
    g_state = g_optimizer.init(eqx.filter(generator, eqx.is_inexact_array))
    d_state = d_optimizer.init(eqx.filter(discriminator, eqx.is_inexact_array))

    @eqx.filter_jit
    def train_step(generator, discriminator, g_state, d_state, key):
        values, g_grads, d_grads = losses_and_gradients(generator, discriminator, key)
        g_updates, g_state = g_optimizer.update(g_grads, g_state)
        d_updates, d_state = d_optimizer.update(d_grads, d_state)
        generator = eqx.apply_updates(generator, g_updates)
        discriminator = eqx.apply_updates(discriminator, d_updates)
        return generator, discriminator, g_state, d_state, values

    losses = []
    for step in range(STEPS):
        key = jax.random.fold_in(jax.random.key(1), step)
        generator, discriminator, g_state, d_state, values = train_step(
            generator, discriminator, g_state, d_state, key
        )
        losses.append(values)
    assert optax.tree.get(g_state, "count") == optax.tree.get(d_state, "count") == STEPS
    players = {"generator": generator, "discriminator": discriminator}
    return Run(jnp.stack(losses), eqx.filter(players, eqx.is_inexact_array))


def optimizer():
    return gdlab.adam({"generator": 2e-3, "discriminator": 4e-3}, b1=0.5)


@eqx.filter_jit
def in_own_words(tx):
    players, functions = eqx.partition(networks(jax.random.key(0)), eqx.is_inexact_array)

    def step(carry, step):
        players, state = carry
        key = jax.random.fold_in(jax.random.key(1), step)
        both = eqx.combine(players, functions)
        values, *grads = losses_and_gradients(both["generator"], both["discriminator"], key)
        grads = dict(zip(("generator", "discriminator"), grads, strict=True))
        updates, state = tx.update(grads, state, players)
        return (gdlab.apply_updates(players, updates), state), values

    (players, _), losses = jax.lax.scan(step, (players, tx.init(players)), jnp.arange(STEPS))
    return Run(losses, players)


def games_side_by_side():
    generator = gdlab.Axis("generator", [1e-3, 2e-3])
    discriminator = gdlab.Axis("discriminator", [2e-3, 4e-3, 8e-3])
    tx = gdlab.set_hyperparameters(
        optimizer(), {"generator": generator, "discriminator": discriminator}
    )
    return gdlab.map_axes(in_own_words)(tx)


def stable_rates():
    """The learning rates at which Adam is stable on a curvature of 1, by b1."""
    of = lambda b1: gdlab.analysis.stable_range(gdlab.adam(2e-3, b1=b1), curvature=1.0)  # noqa: E731
    return {b1: of(b1) for b1 in (0.5, 0.9)}


def distance_to_mixture(generator):
    """The mean distance of generated points from the nearest of the four centers."""
    points = np.abs(generated(generator, jax.random.key(2)))
    return np.linalg.norm(points - 1, axis=1).mean()


def test_the_players_of_a_gan_train_alike_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    own = in_own_words(jax.tree.map(jnp.asarray, optimizer()))
    assert_alike(theirs, own)
    untrained = networks(jax.random.key(0))["generator"]
    trained = eqx.combine(theirs.params["generator"], untrained)
    assert distance_to_mixture(trained) < 0.5 * distance_to_mixture(untrained)


def test_games_of_several_pairs_of_learning_rates_are_played_in_one_program():
    games = games_side_by_side()
    assert games.dims == ("discriminator", "generator")
    assert games.values.losses.shape[:2] == (3, 2)
    assert np.all(np.isfinite(games.values.losses))


def test_stable_rates_of_adam_are_those_of_its_closed_form():
    for b1, (low, high) in stable_rates().items():
        assert low == 0
        np.testing.assert_allclose(high, 2 * (1 + b1) / (1 - b1), rtol=1e-4)

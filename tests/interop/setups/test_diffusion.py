"""A denoising diffusion model with a warm-up, clipping and an average of its parameters."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.runs import Run, assert_alike

pytestmark = pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")

STEPS, BATCH, NOISE_LEVELS = 150, 128, 50
WARM_UP = 20.0  # A float, since optax evaluates a schedule of whole numbers in float32.


class Denoiser(eqx.Module):
    """Predicts the noise in a point of the plane, from it and the level of the noise."""

    net: eqx.nn.MLP

    def __init__(self, key):
        self.net = eqx.nn.MLP(2 + 8, 2, 32, 2, jax.nn.silu, key=key)

    def __call__(self, x, level):
        phase = level / NOISE_LEVELS * jnp.pi * jnp.arange(1, 5)
        return self.net(jnp.concatenate([x, jnp.sin(phase), jnp.cos(phase)]))


def spiral(key):
    """Points on a spiral."""
    angle = 3 * jnp.pi * jnp.sqrt(jax.random.uniform(key, (BATCH,)))
    return jnp.stack([angle * jnp.cos(angle), angle * jnp.sin(angle)], axis=1) / 6


def loss(model, key):
    """The squared error of the predicted noise, at random levels."""
    data_key, level_key, noise_key = jax.random.split(key, 3)
    x = spiral(data_key)
    level = jax.random.randint(level_key, (BATCH,), 1, NOISE_LEVELS)
    noise = jax.random.normal(noise_key, x.shape)
    kept = jnp.cos(level / NOISE_LEVELS * jnp.pi / 2)[:, None]
    noisy = kept * x + jnp.sqrt(1 - kept**2) * noise
    return jnp.mean((jax.vmap(model)(noisy, level) - noise) ** 2)


def arrays_of(model):
    return eqx.filter(model, eqx.is_inexact_array)


def ema_decay(step):
    return jnp.minimum(0.99, (1 + step) / (10 + step))


def train(optax):
    model = Denoiser(jax.random.key(0))
    ema_params = arrays_of(model)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(optax.warmup_constant_schedule(0.0, 3e-3, WARM_UP)),
    )
    opt_state = optimizer.init(arrays_of(model))

    @eqx.filter_jit
    def train_step(model, ema_params, opt_state, step):
        key = jax.random.fold_in(jax.random.key(1), step)
        value, grads = eqx.filter_value_and_grad(loss)(model, key)
        updates, opt_state = optimizer.update(grads, opt_state)
        model = eqx.apply_updates(model, updates)
        step_size = 1 - ema_decay(step)
        ema_params = optax.incremental_update(arrays_of(model), ema_params, step_size)
        return model, ema_params, opt_state, value

    losses = []
    for step in jnp.arange(STEPS):
        model, ema_params, opt_state, value = train_step(model, ema_params, opt_state, step)
        losses.append(value)
    return Run(jnp.stack(losses), arrays_of(model), {"ema_params": ema_params})


def optimizer():
    rate = gdlab.warmup_constant_schedule(0.0, 3e-3, WARM_UP)
    return gdlab.chain(
        gdlab.clip_by_global_norm(1.0), gdlab.adam(rate), gdlab.params_ema(ema_decay)
    )


def in_own_words():
    model = Denoiser(jax.random.key(0))
    run = gdlab.minimize(loss, model, optimizer(), STEPS, key=jax.random.key(1))
    logged = {"ema_params": arrays_of(run.evaluation_params)}
    return Run(run.values[:-1], arrays_of(run.params), logged)


def sweep_of_warm_ups():
    warm_up = gdlab.Axis("warmup_steps", [1.0, 20.0, 100.0])
    tx = gdlab.set_hyperparameters(optimizer(), {"warmup_steps": warm_up})
    return gdlab.sweep(loss, Denoiser, tx, steps=STEPS, key=jax.random.key(1))


@pytest.mark.slow
def test_a_diffusion_model_and_its_average_train_alike_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    assert_alike(theirs, in_own_words())
    assert theirs.losses[-20:].mean() < 0.6 * theirs.losses[:5].mean()


@pytest.mark.slow
def test_lengths_of_the_warm_up_are_swept_in_one_program():
    curves = sweep_of_warm_ups().loss[:, 0]
    # After ten steps the slowest warm-up is behind, and in the end all have arrived.
    early = curves[:, 5:15].mean(axis=1)
    assert early[2] > early[0]
    assert np.all(curves[:, -20:].mean(axis=1) < 0.6 * curves[:, :3].mean(axis=1))

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


ARRAYS_OF = eqx.is_inexact_array


def loss(params, key):
    """The squared error of the predicted noise, at random levels."""
    _, functions = eqx.partition(Denoiser(jax.random.key(0)), ARRAYS_OF)
    model = eqx.combine(params, functions)
    data_key, level_key, noise_key = jax.random.split(key, 3)
    x = spiral(data_key)
    level = jax.random.randint(level_key, (BATCH,), 1, NOISE_LEVELS)
    noise = jax.random.normal(noise_key, x.shape)
    kept = jnp.cos(level / NOISE_LEVELS * jnp.pi / 2)[:, None]
    noisy = kept * x + jnp.sqrt(1 - kept**2) * noise
    return jnp.mean((jax.vmap(model)(noisy, level) - noise) ** 2)


def ema_decay(step):
    return jnp.minimum(0.99, (1 + step) / (10 + step))


def train(optax):
    params, _ = eqx.partition(Denoiser(jax.random.key(0)), ARRAYS_OF)
    ema_params = params
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(optax.warmup_constant_schedule(0.0, 3e-3, WARM_UP)),
    )
    opt_state = optimizer.init(params)

    @jax.jit
    def train_step(params, ema_params, opt_state, step):
        key = jax.random.fold_in(jax.random.key(1), step)
        value, grads = jax.value_and_grad(loss)(params, key)
        updates, opt_state = optimizer.update(grads, opt_state)
        params = optax.apply_updates(params, updates)
        ema_params = optax.incremental_update(params, ema_params, 1 - ema_decay(step))
        return params, ema_params, opt_state, value

    losses = []
    for step in range(STEPS):
        params, ema_params, opt_state, value = train_step(params, ema_params, opt_state, step)
        losses.append(value)
    return Run(jnp.stack(losses), params, {"ema_params": ema_params})


def optimizer():
    rate = gdlab.warmup_constant_schedule(0.0, 3e-3, WARM_UP)
    return gdlab.chain(
        gdlab.clip_by_global_norm(1.0), gdlab.adam(rate), gdlab.params_ema(ema_decay)
    )


def in_own_words():
    start, _ = eqx.partition(Denoiser(jax.random.key(0)), ARRAYS_OF)
    run = gdlab.minimize(loss, start, optimizer(), STEPS, key=jax.random.key(1))
    return Run(run.values[:-1], run.params, {"ema_params": run.evaluation_params})


def sweep_of_warm_ups():
    warm_up = gdlab.Axis("warmup_steps", [1.0, 20.0, 100.0])
    tx = gdlab.set_hyperparameters(optimizer(), {"warmup_steps": warm_up})
    start, _ = eqx.partition(Denoiser(jax.random.key(0)), ARRAYS_OF)
    return gdlab.sweep(loss, start, tx, steps=STEPS, key=jax.random.key(1))


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

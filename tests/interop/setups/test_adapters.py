"""Low-rank adapters beside frozen weights (LoRA), B trained faster than A (LoRA+)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.digits import random_batch
from tests.interop.setups.runs import Run, assert_alike

pytestmark = pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")

RANK, STEPS, BATCH = 2, 60, 64
LEARNING_RATE, RATIO = 3e-3, 16.0


@jax.jit
def init(key):
    """A network whose weights are taken for trained ones, and adapters that change nothing yet."""
    keys = jax.random.split(key, 6)
    params = {}
    for layer, (rows, columns) in enumerate(((64, 48), (48, 48), (48, 10))):
        params[f"dense_{layer}"] = {
            "kernel": jax.random.normal(keys[2 * layer], (rows, columns)) / rows**0.5,
            "bias": jnp.zeros(columns),
            "lora_a": jax.random.normal(keys[2 * layer + 1], (rows, RANK)) / rows**0.5,
            "lora_b": jnp.zeros((RANK, columns)),
        }
    return params


def dense(layer, x):
    return x @ layer["kernel"] + layer["bias"] + 4.0 * (x @ layer["lora_a"]) @ layer["lora_b"]


def loss(params, key):
    images, labels = random_batch(key, BATCH)
    x = images.reshape(BATCH, 64)
    x = jnp.tanh(dense(params["dense_0"], x))
    x = jnp.tanh(dense(params["dense_1"], x))
    logits = dense(params["dense_2"], x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def train(optax):
    params = init(jax.random.key(0))

    def named(params, *names):
        return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key in names, params)

    optimizer = optax.chain(
        optax.masked(optax.adamw(LEARNING_RATE), lambda params: named(params, "lora_a")),
        optax.masked(optax.adamw(RATIO * LEARNING_RATE), lambda params: named(params, "lora_b")),
        optax.masked(optax.set_to_zero(), lambda params: named(params, "kernel", "bias")),
    )
    opt_state = optimizer.init(params)

    @jax.jit
    def train_step(params, opt_state, key):
        value, grads = jax.value_and_grad(loss)(params, key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    losses = []
    for step in range(STEPS):
        key = jax.random.fold_in(jax.random.key(1), step)
        params, opt_state, value = train_step(params, opt_state, key)
        losses.append(value)
    return Run(jnp.stack(losses), params)


def optimizer():
    rates = [("lora_a", LEARNING_RATE), ("lora_b", RATIO * LEARNING_RATE)]
    return gdlab.selective_transform(gdlab.adamw(rates), freeze_mask=["kernel", "bias"])


def in_own_words():
    run = gdlab.minimize(loss, init(jax.random.key(0)), optimizer(), STEPS, key=jax.random.key(1))
    return Run(run.values[:-1], run.params)


def slopes():
    """The derivatives of the last loss with respect to the hyperparameters."""
    start, key = init(jax.random.key(0)), jax.random.key(1)
    last_loss = lambda tx: gdlab.minimize(loss, start, tx, STEPS, key=key).values[-1]  # noqa: E731
    return gdlab.hyperparameters(jax.grad(last_loss)(optimizer()))


@pytest.mark.slow
def test_adapters_train_alike_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    assert_alike(theirs, in_own_words())
    assert theirs.losses[-6:].mean() < 0.6 * theirs.losses[:6].mean()
    before = init(jax.random.key(0))
    for name, layer in theirs.params.items():
        np.testing.assert_array_equal(layer["kernel"], before[name]["kernel"])


@pytest.mark.slow
def test_the_last_loss_has_a_derivative_for_each_rate():
    start, key = init(jax.random.key(0)), jax.random.key(1)
    name = "optimizer.learning_rate.1"

    def last_loss(rate):
        tx = gdlab.set_hyperparameters(optimizer(), {name: rate})
        return gdlab.minimize(loss, start, tx, STEPS, key=key).values[-1]

    rate, h = RATIO * LEARNING_RATE, 1e-6
    quotient = (last_loss(rate + h) - last_loss(rate - h)) / (2 * h)
    np.testing.assert_allclose(slopes()[name], quotient, rtol=1e-4)

"""Fine-tuning with a frozen embedding and learning rates that decay from layer to layer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, traverse_util

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.digits import random_batch
from tests.interop.setups.runs import Run, assert_alike

pytestmark = [
    pytest.mark.slow,
    pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard"),
]

LAYERS, BATCH = 3, 64
PEAK, LAYER_DECAY = 3e-3, 0.6
# Floats, since optax evaluates a schedule of whole numbers in float32.
WARM_UP, STEPS = 5.0, 60.0


class Network(linen.Module):
    """A residual network, whose first parameters are taken for trained ones."""

    @linen.compact
    def __call__(self, x):
        x = linen.Dense(32, param_dtype=float, name="embed")(x)
        for layer in range(LAYERS):
            hidden = linen.LayerNorm(param_dtype=float, name=f"norm_{layer}")(x)
            x = x + linen.gelu(linen.Dense(32, param_dtype=float, name=f"layer_{layer}")(hidden))
        return linen.Dense(10, param_dtype=float, name="head")(x)


MODEL = Network()


def init():
    return MODEL.init(jax.random.key(0), jnp.zeros(64))["params"]


def loss(params, key):
    images, labels = random_batch(key, BATCH)
    logits = MODEL.apply({"params": params}, images.reshape(BATCH, 64))
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def train(optax):
    params = init()

    def rate(layer):
        peak = PEAK * LAYER_DECAY ** (LAYERS - layer)
        return optax.warmup_cosine_decay_schedule(0.0, peak, WARM_UP, STEPS)

    def label(path, _):
        name = path[0]
        return "frozen" if name == "embed" else name.replace("norm", "layer")

    transforms = {f"layer_{n}": optax.adamw(rate(n), weight_decay=0.01) for n in range(LAYERS)}
    transforms |= {"head": optax.adamw(rate(LAYERS), weight_decay=0.01)}
    transforms |= {"frozen": optax.set_to_zero()}
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.multi_transform(transforms, traverse_util.path_aware_map(label, params)),
    )
    opt_state = optimizer.init(params)

    @jax.jit
    def train_step(params, opt_state, key):
        value, grads = jax.value_and_grad(loss)(params, key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    losses = []
    for step in range(int(STEPS)):
        key = jax.random.fold_in(jax.random.key(1), step)
        params, opt_state, value = train_step(params, opt_state, key)
        losses.append(value)
    return Run(jnp.stack(losses), params)


def optimizer():
    def rate(layer):
        peak = PEAK * LAYER_DECAY ** (LAYERS - layer)
        return gdlab.warmup_cosine_decay_schedule(0.0, peak, WARM_UP, STEPS)

    rates = [(f"_{layer}", rate(layer)) for layer in range(LAYERS)] + [("head", rate(LAYERS))]
    adamw = gdlab.adamw(rates, weight_decay=0.01)
    return gdlab.chain(
        gdlab.clip_by_global_norm(1.0), gdlab.selective_transform(adamw, freeze_mask="embed")
    )


def in_own_words():
    run = gdlab.minimize(loss, init(), optimizer(), int(STEPS), key=jax.random.key(1))
    return Run(run.values[:-1], run.params)


@jax.jit
def step(tx, params, state, key):
    value, grads = jax.value_and_grad(loss)(params, key)
    updates, state = tx.update(grads, state, params)
    return gdlab.apply_updates(params, updates), state, value


def with_faster_head(tx, factor):
    peak = "chain.1.optimizer.learning_rate.3.peak_value"
    return gdlab.set_hyperparameters(tx, {peak: factor * gdlab.hyperparameters(tx)[peak]})


def test_a_network_is_tuned_alike_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    assert_alike(theirs, in_own_words())
    assert theirs.losses[-6:].mean() < 0.5 * theirs.losses[:6].mean()
    jax.tree.map(np.testing.assert_array_equal, theirs.params["embed"], init()["embed"])


def test_another_rate_of_one_layer_compiles_nothing():
    tx, params = optimizer(), init()
    state = tx.init(params)
    for step_index in range(2):
        key = jax.random.key(step_index)
        params, state, _ = step(tx, params, state, key)
        faster, _, _ = step(with_faster_head(tx, 3.0), params, state, key)
        slower, _, _ = step(tx, params, state, key)
    assert step._cache_size() == 1
    moved_by = lambda name, new: new[name]["kernel"] - params[name]["kernel"]  # noqa: E731
    np.testing.assert_array_equal(moved_by("layer_0", faster), moved_by("layer_0", slower))
    np.testing.assert_allclose(
        moved_by("head", faster), 3 * moved_by("head", slower), rtol=1e-9, atol=1e-15
    )

"""A vision transformer with an average of its parameters, as big_vision and timm train theirs."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import linen
from flax.training.train_state import TrainState

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.digits import digits, random_batch
from tests.interop.setups.runs import Run, assert_alike

pytestmark = [
    pytest.mark.slow,
    pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard"),
]

WIDTH, BATCH, EMA_DECAY = 24, 64, 0.95
STEPS = 60
# Floats, since optax evaluates a schedule of whole numbers in float32.
WARM_UP, DECAY_STEPS = 5.0, 80.0


class VisionTransformer(linen.Module):
    """One block over the sixteen patches of 2 × 2 pixels of a digit."""

    @linen.compact
    def __call__(self, images, *, train):
        dense = lambda n, name: linen.Dense(n, param_dtype=float, name=name)  # noqa: E731
        norm = lambda name: linen.LayerNorm(param_dtype=float, name=name)  # noqa: E731
        patches = images.reshape(-1, 4, 2, 4, 2).swapaxes(2, 3).reshape(-1, 16, 4)
        position = self.param("position", linen.initializers.normal(0.02), (16, WIDTH), float)
        x = dense(WIDTH, "embed")(patches) + position
        attention = linen.MultiHeadDotProductAttention(4, param_dtype=float, name="attention")
        x = x + attention(norm("norm_1")(x))
        hidden = linen.gelu(dense(2 * WIDTH, "up")(norm("norm_2")(x)))
        x = x + dense(WIDTH, "down")(linen.Dropout(0.1, deterministic=not train)(hidden))
        return dense(10, "head")(norm("norm")(x).mean(axis=1))


MODEL = VisionTransformer()


def init():
    return MODEL.init(jax.random.key(0), jnp.zeros((1, 8, 8)), train=False)["params"]


def loss(params, key):
    """The cross entropy of smoothed labels, of a random batch with dropout."""
    batch_key, dropout_key = jax.random.split(key)
    images, labels = random_batch(batch_key, BATCH)
    logits = MODEL.apply({"params": params}, images, train=True, rngs={"dropout": dropout_key})
    targets = optax.smooth_labels(jax.nn.one_hot(labels, 10), 0.1)
    return optax.softmax_cross_entropy(logits, targets).mean()


def kernels(params):
    """The weights that decay: all but the biases, the gains and the positions."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def train(optax):
    class AveragingTrainState(TrainState):
        ema_params: Any

        def apply_gradients(self, *, grads, **changes):
            state = super().apply_gradients(grads=grads, **changes)
            ema = optax.incremental_update(state.params, self.ema_params, 1 - EMA_DECAY)
            return state.replace(ema_params=ema)

    schedule = optax.warmup_cosine_decay_schedule(0.0, 1e-2, WARM_UP, DECAY_STEPS)
    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b1=0.9, b2=0.95),
        optax.add_decayed_weights(0.05, mask=kernels),
        optax.scale_by_schedule(schedule),
        optax.scale(-1.0),
    )
    params = init()
    state = AveragingTrainState.create(
        apply_fn=MODEL.apply, params=params, tx=tx, ema_params=params
    )

    @jax.jit
    def train_step(state, key):
        value, grads = jax.value_and_grad(loss)(state.params, key)
        return state.apply_gradients(grads=grads), value

    losses = []
    for step in range(STEPS):
        state, value = train_step(state, jax.random.fold_in(jax.random.key(1), step))
        losses.append(value)
    logged = {"ema_params": state.ema_params, "learning_rate": schedule(state.step)}
    return Run(jnp.stack(losses), state.params, logged)


def optimizer():
    rate = gdlab.warmup_cosine_decay_schedule(0.0, 1e-2, WARM_UP, DECAY_STEPS)
    return gdlab.chain(
        gdlab.clip_by_global_norm(1.0),
        gdlab.adamw(rate, b2=0.95, weight_decay=0.05, mask="kernel"),
        gdlab.params_ema(EMA_DECAY),
    )


def in_own_words():
    tx = optimizer()
    run = gdlab.minimize(loss, init(), tx, STEPS, key=jax.random.key(1))
    rate = gdlab.hyperparameters(tx, run.state)["chain.1.learning_rate"]
    logged = {"ema_params": run.evaluation_params, "learning_rate": rate}
    return Run(run.values[:-1], run.params, logged)


def accuracy(params):
    images, labels = digits()
    logits = MODEL.apply({"params": params}, images, train=False)
    return jnp.mean(logits.argmax(axis=1) == labels)


def sweep_of_averages():
    decay = gdlab.Axis("ema_decay", [0.0, 0.9, 0.99])
    tx = gdlab.set_hyperparameters(optimizer(), {"decay": decay})
    return gdlab.sweep(loss, init(), tx, steps=STEPS, key=jax.random.key(1), evaluate=accuracy)


def test_a_vision_transformer_and_its_average_train_alike_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    assert_alike(theirs, in_own_words())
    assert theirs.losses[-6:].mean() < 0.7 * theirs.losses[:6].mean()
    assert accuracy(theirs.logged["ema_params"]) > 0.6


def test_averages_are_swept_and_judged_by_what_they_evaluate_to():
    accuracies = sweep_of_averages().metrics["accuracy"]
    # Of an average over more steps than were taken, the start is still a part.
    assert accuracies[2] < 0.8 * accuracies[:2].min()

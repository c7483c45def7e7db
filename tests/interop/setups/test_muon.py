"""Muon for the matrices of a small attention network, and AdamW for the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.digits import random_batch
from tests.interop.setups.runs import Run, assert_alike

pytestmark = [
    pytest.mark.slow,
    pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard"),
]

WIDTH, HEADS, BATCH = 24, 3, 64
STEPS = 50
# It is added to the norm of the average gradient, which is corrected for its start at zero in optax
# alone. So small it is not seen.
EPS = 1e-15
DECAY_STEPS = 50.0  # A float, since optax evaluates a schedule of whole numbers in float32.


@jax.jit
def init(key):
    keys = iter(jax.random.split(key, 8))

    def kernel(*shape, inputs=1):
        return jax.random.normal(next(keys), shape) / jnp.prod(jnp.array(shape[:inputs])) ** 0.5

    return {
        "embed": kernel(8, WIDTH),
        "attention": {
            "query": kernel(WIDTH, HEADS, WIDTH // HEADS),
            "key": kernel(WIDTH, HEADS, WIDTH // HEADS),
            "value": kernel(WIDTH, HEADS, WIDTH // HEADS),
            "out": kernel(HEADS, WIDTH // HEADS, WIDTH, inputs=2),
        },
        "up": {"kernel": kernel(WIDTH, 2 * WIDTH), "bias": jnp.zeros(2 * WIDTH)},
        "down": {"kernel": kernel(2 * WIDTH, WIDTH), "bias": jnp.zeros(WIDTH)},
        "head": jnp.zeros((WIDTH, 10)),
    }


def logits(params, rows):
    x = rows @ params["embed"]
    weights = params["attention"]
    q, k, v = (jnp.einsum("bti,ihd->bthd", x, weights[n]) for n in ("query", "key", "value"))
    scores = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / (WIDTH // HEADS) ** 0.5)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", scores, v)
    x = x + jnp.einsum("bqhd,hdo->bqo", mixed, weights["out"])
    hidden = jax.nn.relu(x @ params["up"]["kernel"] + params["up"]["bias"]) ** 2
    x = x + hidden @ params["down"]["kernel"] + params["down"]["bias"]
    return x.mean(axis=1) @ params["head"]


def loss(params, key):
    """The cross entropy of digits, read row by row."""
    images, labels = random_batch(key, BATCH)
    scores = logits(params, images)
    return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()


def train(optax):
    axes = optax.contrib.MuonDimensionNumbers

    def dimension_numbers(params):
        def of_leaf(path, w):
            name = path[-1].key
            if name in ("embed", "head") or w.ndim < 2:
                return None
            if name == "out":
                return axes(reduction_axis=(0, 1), output_axis=2)
            return axes(reduction_axis=0, output_axis=(1, 2) if w.ndim == 3 else 1)

        return jax.tree_util.tree_map_with_path(of_leaf, params)

    schedule = optax.cosine_decay_schedule(0.02, DECAY_STEPS, alpha=0.1)
    optimizer = optax.contrib.muon(
        schedule,
        eps=EPS,
        nesterov=False,
        weight_decay=0.1,
        adam_learning_rate=3e-3,
        muon_weight_dimension_numbers=dimension_numbers,
    )
    params = init(jax.random.key(0))
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
    return gdlab.muon(
        gdlab.cosine_decay_schedule(0.02, DECAY_STEPS, alpha=0.1),
        eps=EPS,
        nesterov=False,
        weight_decay=0.1,
        adam_learning_rate=3e-3,
        muon_weight_dimension_numbers=[
            ("embed|head", None),
            ("query|key|value", "ioo"),
            ("out", "iio"),
        ],
    )


def in_own_words():
    run = gdlab.minimize(loss, init(jax.random.key(0)), optimizer(), STEPS, key=jax.random.key(1))
    return Run(run.values[:-1], run.params)


def sweep_of_both_rates():
    muon = gdlab.Axis("muon", [0.005, 0.02, 0.08])
    adam = gdlab.Axis("adam", [1e-3, 3e-3])
    tx = gdlab.set_hyperparameters(
        optimizer(), {"learning_rate.init_value": muon, "adam_learning_rate": adam}
    )
    return gdlab.sweep(loss, init, tx, steps=STEPS, key=jax.random.key(1))


def test_a_network_trains_alike_by_muon_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    assert_alike(theirs, in_own_words())
    assert theirs.losses[-6:].mean() < 0.65 * theirs.losses[:6].mean()


def test_the_rates_of_muon_and_of_adamw_are_swept_in_one_program():
    result = sweep_of_both_rates()
    assert result.final_loss.shape[:2] == (3, 2)
    assert np.all(np.isfinite(result.final_loss))

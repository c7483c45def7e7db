"""A decoder language model as nanoGPT and MaxText train theirs."""

import codecs
import contextlib
import functools
import importlib
import io

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import optax as moved
from tests.interop.setups.runs import Run, assert_alike

# Scripts call it all the same.
pytestmark = pytest.mark.filterwarnings("ignore:optax.global_norm is deprecated")

WIDTH, HEADS, LAYERS, CONTEXT, BATCH = 16, 2, 2, 24, 8
MICRO_BATCHES, STEPS = 2, 60
# Floats, since optax evaluates a schedule of whole numbers in float32.
WARM_UP, UPDATES = 5.0, STEPS / MICRO_BATCHES


@functools.cache
def text():
    """The Zen of Python as characters, numbered in their alphabet, and the size of that."""
    with contextlib.redirect_stdout(io.StringIO()):
        zen = codecs.decode(importlib.import_module("this").s, "rot13")
    alphabet = sorted(set(zen))
    return np.array([alphabet.index(letter) for letter in zen], np.int32), len(alphabet)


@jax.jit
def init(key):
    _, letters = text()
    keys = iter(jax.random.split(key, 2 + 4 * LAYERS))

    def matrix(rows, columns, gain=1.0):
        return gain * jax.random.normal(next(keys), (rows, columns)) / rows**0.5

    blocks = [
        {
            "norm_1": jnp.ones(WIDTH),
            "qkv": matrix(WIDTH, 3 * WIDTH),
            "out": matrix(WIDTH, WIDTH, 0.5),
            "norm_2": jnp.ones(WIDTH),
            "up": matrix(WIDTH, 4 * WIDTH),
            "up_bias": jnp.zeros(4 * WIDTH),
            "down": matrix(4 * WIDTH, WIDTH, 0.5),
        }
        for _ in range(LAYERS)
    ]
    return {
        "embedding": matrix(letters, WIDTH),
        "position": matrix(CONTEXT, WIDTH),
        "blocks": blocks,
        "norm": jnp.ones(WIDTH),
    }


def normalised(x, gain):
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    wide = wide * jax.lax.rsqrt(jnp.mean(wide**2, axis=-1, keepdims=True) + 1e-6)
    return wide.astype(x.dtype) * gain


def attend(x, block):
    q, k, v = (
        part.reshape(*x.shape[:-1], HEADS, WIDTH // HEADS)
        for part in jnp.split(x @ block["qkv"], 3, axis=-1)
    )
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / (WIDTH // HEADS) ** 0.5
    scores = jnp.where(jnp.tri(CONTEXT, dtype=bool), scores, -jnp.inf)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
    return mixed.reshape(x.shape) @ block["out"]


def logits(params, tokens):
    x = params["embedding"][tokens] + params["position"]
    for block in params["blocks"]:
        x = x + attend(normalised(x, block["norm_1"]), block)
        hidden = normalised(x, block["norm_2"]) @ block["up"] + block["up_bias"]
        x = x + jax.nn.gelu(hidden) @ block["down"]
    return normalised(x, params["norm"]) @ params["embedding"].T


def loss(params, key):
    """The cross entropy of the next letter, of a random batch."""
    letters, _ = text()
    starts = jax.random.randint(key, (BATCH, 1), 0, len(letters) - CONTEXT, jnp.int32)
    window = jnp.asarray(letters)[starts + jnp.arange(CONTEXT + 1, dtype=jnp.int32)]
    scores = logits(params, window[:, :-1])
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(scores, window[:, 1:]))


def loss_in_bfloat16(params, key):
    """The same with activations in bfloat16; the parameters stay what they are."""
    return loss(jax.tree.map(lambda w: w.astype(jnp.bfloat16), params), key)


def train(optax, loss=loss, precision=jnp.float64):
    params = jax.tree.map(lambda w: w.astype(precision), init(jax.random.key(0)))
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=0.0, peak_value=1e-2, warmup_steps=WARM_UP, decay_steps=UPDATES, end_value=1e-3
    )
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(
            schedule,
            b1=0.9,
            b2=0.95,
            weight_decay=0.1,
            mask=lambda params: jax.tree.map(lambda w: w.ndim >= 2, params),
        ),
    )
    optimizer = optax.MultiSteps(optimizer, MICRO_BATCHES, accumulator_dtype=precision)
    opt_state = optimizer.init(params)

    @jax.jit
    def train_step(params, opt_state, key):
        value, grads = jax.value_and_grad(loss)(params, key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        return params, opt_state, value, optax.global_norm(grads)

    losses, norms, updated = [], [], []
    for step in range(STEPS):
        key = jax.random.fold_in(jax.random.key(1), step)
        params, opt_state, value, norm = train_step(params, opt_state, key)
        losses.append(value)
        norms.append(norm)
        updated.append(optimizer.has_updated(opt_state))
    logged = {"norms": jnp.stack(norms), "updates": optax.tree.get(opt_state, "gradient_step")}
    assert updated == [step % MICRO_BATCHES == MICRO_BATCHES - 1 for step in range(STEPS)]
    return Run(jnp.stack(losses), params, logged)


def optimizer():
    rate = gdlab.warmup_cosine_decay_schedule(0.0, 1e-2, WARM_UP, UPDATES, 1e-3)
    adamw = gdlab.adamw(rate, b2=0.95, weight_decay=0.1, mask=gdlab.matrices)
    return gdlab.accumulate(gdlab.chain(gdlab.clip_by_global_norm(1.0), adamw), MICRO_BATCHES)


def in_own_words(loss=loss, precision=jnp.float64):
    params = jax.tree.map(lambda w: w.astype(precision), init(jax.random.key(0)))
    run = gdlab.minimize(loss, params, optimizer(), STEPS, key=jax.random.key(1))
    return Run(run.values[:-1], run.params)


def sweep_of_second_moments():
    b2 = gdlab.Axis("b2", [0.9, 0.95, 0.99, 0.999])
    tx = gdlab.set_hyperparameters(optimizer(), {"b2": b2})
    return gdlab.sweep(loss, init, tx, steps=STEPS, seeds=2, key=jax.random.key(1))


def memories_of_second_moments():
    """The steps after which half of a gradient is forgotten."""
    return {b2: gdlab.analysis.half_life(gdlab.ema(b2)) for b2 in (0.95, 0.999)}


@pytest.mark.slow
@pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")
def test_a_language_model_trains_alike_under_either_import_and_in_own_words():
    theirs = train(optax)
    assert_alike(theirs, train(moved))
    assert_alike(theirs, in_own_words())
    assert theirs.losses[-6:].mean() < 0.82 * theirs.losses[:6].mean()


@pytest.mark.slow
def test_activations_in_bfloat16_change_no_more_than_their_rounding():
    theirs = train(optax, loss_in_bfloat16, jnp.float32)
    for run in (
        train(moved, loss_in_bfloat16, jnp.float32),
        in_own_words(loss_in_bfloat16, jnp.float32),
    ):
        # The last bit of a float32 parameter can decide how an activation is rounded.
        assert_alike(theirs, run, rtol=float(jnp.finfo(jnp.bfloat16).eps))


@pytest.mark.slow
def test_weights_in_bfloat16_have_moments_in_float32_and_train_as_well():
    weights = jax.tree.map(lambda w: w.astype(jnp.bfloat16), init(jax.random.key(0)))
    state = jax.eval_shape(optimizer().init, weights)
    for entry in (state.mean, state.inner.mu, state.inner.nu):
        assert {leaf.dtype for leaf in jax.tree.leaves(entry)} == {jnp.dtype("float32")}
    coarse, fine = (in_own_words(loss, dtype).losses for dtype in (jnp.bfloat16, jnp.float32))
    np.testing.assert_allclose(coarse[-6:].mean(), fine[-6:].mean(), rtol=0.02)


@pytest.mark.slow
@pytest.mark.x64(rank_promotion="allow", dtype_promotion="standard")
def test_decays_of_second_moments_are_swept_in_one_program():
    result = sweep_of_second_moments()
    assert result.final_loss.shape == (4, 2)
    assert np.all(result.final_loss < 0.9 * in_own_words().losses[0])


@pytest.mark.slow
def test_the_memory_of_second_moments_is_that_of_a_geometric_series():
    for b2, steps in memories_of_second_moments().items():
        np.testing.assert_allclose(b2**steps, 0.5, rtol=1e-4)

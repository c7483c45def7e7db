"""Gradients that are zero, huge or tiny: cases in which optax fails and gdlab holds.

Each row names the hazards under which the method of optax makes an infinity or a NaN, in its
updates or in its state, or does not move at all although the gradient is not zero.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import gdlab

PARAMS = {"w": jnp.array([[0.5, -1.0], [2.0, 0.25]]), "b": jnp.array([1.0, -0.5])}
GRADIENT = {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.25, -1.0])}
STEPS = 3

HAZARDS = {
    "zero": (0.0, jnp.float32),
    "huge": (1e30, jnp.float32),
    "tiny": (1e-30, jnp.float32),
    "huge bfloat16": (1e30, jnp.bfloat16),
    "zero float16": (0.0, jnp.float16),
    "huge float16": (2e4, jnp.float16),
    "tiny float16": (1e-7, jnp.float16),
}
SQUARED = ("huge", "huge bfloat16", "huge float16")
HALF = ("zero float16", "tiny float16")

ROWS = [
    ("adam", optax.adam, gdlab.adam, (0.1,), (*SQUARED, *HALF)),
    (
        "adam without eps",
        optax.adam,
        gdlab.adam,
        (0.1, 0.9, 0.999, 0.0),
        ("zero", "tiny", *SQUARED),
    ),
    ("adamw", optax.adamw, gdlab.adamw, (0.1,), HALF),
    ("rmsprop", optax.rmsprop, gdlab.rmsprop, (0.1,), (*SQUARED, *HALF)),
    ("adagrad", optax.adagrad, gdlab.adagrad, (0.1,), SQUARED),
    ("adadelta", optax.adadelta, gdlab.adadelta, (0.1,), SQUARED),
    ("adabelief", optax.adabelief, gdlab.adabelief, (0.1,), (*SQUARED, *HALF)),
    ("adafactor", optax.adafactor, gdlab.adafactor, (0.1,), (*SQUARED, *HALF)),
    ("amsgrad", optax.amsgrad, gdlab.amsgrad, (0.1,), (*SQUARED, *HALF)),
    ("nadam", optax.nadam, gdlab.nadam, (0.1,), (*SQUARED, *HALF)),
    ("adan", optax.adan, gdlab.adan, (0.1,), (*SQUARED, *HALF)),
    ("adamax", optax.adamax, gdlab.adamax, (0.1,), HALF),
    ("yogi", optax.yogi, gdlab.yogi, (0.1,), SQUARED),
    ("novograd", optax.novograd, gdlab.novograd, (0.1,), (*SQUARED, *HALF)),
    ("sm3", optax.sm3, gdlab.sm3, (0.1,), (*SQUARED, "tiny", "tiny float16")),
    ("lamb", optax.lamb, gdlab.lamb, (0.1,), (*SQUARED, "tiny float16")),
    ("lars", optax.lars, gdlab.lars, (0.1,), (*SQUARED, "tiny float16")),
    ("fromage", optax.fromage, gdlab.fromage, (0.1,), HALF),
    ("muon", optax.contrib.muon, gdlab.muon, (0.1,), (*SQUARED, *HALF)),
    ("trust ratio", optax.scale_by_trust_ratio, gdlab.scale_by_trust_ratio, (), SQUARED),
    ("global norm", optax.clip_by_global_norm, gdlab.clip_by_global_norm, (1.0,), SQUARED),
    ("block rms", optax.clip_by_block_rms, gdlab.clip_by_block_rms, (1.0,), SQUARED),
    ("by unit", optax.adaptive_grad_clip, gdlab.adaptive_grad_clip, (0.1,), SQUARED),
    (
        "normalized",
        optax.normalize_by_update_norm,
        gdlab.normalize_by_update_norm,
        (1.0,),
        SQUARED,
    ),
]


@functools.partial(jax.jit, static_argnums=0)
def end(update, state, gradient, params):
    """The last of a few updates under one gradient, and the state."""

    def step(carry, _):
        _, state = carry
        return update(gradient, state, params), None

    return jax.lax.scan(step, update(gradient, state, params), length=STEPS - 1)[0]


def after(tx, size, dtype):
    params = jax.tree.map(lambda x: x.astype(dtype), PARAMS)
    gradient = jax.tree.map(lambda x: (size * x).astype(dtype), GRADIENT)
    return end(tx.update, tx.init(params), gradient, params)


def numbers(tree):
    return np.concatenate([np.ravel(x).astype(np.float64) for x in jax.tree.leaves(tree)] or [[]])


def fails(updates, state, size):
    is_finite = np.isfinite(numbers(updates)).all() and np.isfinite(numbers(state)).all()
    return not is_finite or (size != 0 and not numbers(updates).any())


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("theirs", "ours", "arguments", "hazards"), [
    pytest.param(*row, id=name) for name, *row in ROWS
])  # fmt: skip
@pytest.mark.usually(
    debug_nans="optax makes a NaN", dtype_promotion="optax mixes dtypes", enable_x64="it is float32"
)
def test_where_optax_fails_updates_and_state_stay_finite(theirs, ours, arguments, hazards):
    for hazard in hazards:
        size, dtype = HAZARDS[hazard]
        assert fails(*after(theirs(*arguments), size, dtype), size), hazard
        updates, state = after(ours(*arguments), size, dtype)
        if hazard == "tiny":  # a square vanishes, and with it the quotient
            assert np.isfinite(numbers((updates, state))).all()
        else:
            assert not fails(updates, state, size), hazard
        if hazard in SQUARED:
            usual, _ = after(ours(*arguments), 1.0, jnp.float32)
            # The scale of the loss is no matter to these methods but for ε, and largest elements
            # are bounded.
            ratio = np.abs(numbers(updates)).max() / np.abs(numbers(usual)).max()
            assert 0.3 < ratio < 3, hazard


def test_squares_are_bounded_for_all_links_and_branches_alike():
    tx = gdlab.adam(0.1)
    huge, bounded = jnp.array([1e30, -3e20, 1.0]), jnp.array([2.0**50, -(2.0**50), 1.0])
    for run in (lambda update: update, jax.jit):
        one, other = (run(tx.update)(g, tx.init(g)) for g in (huge, bounded))
        jax.tree.map(np.testing.assert_array_equal, one, other)
    # What squares nothing is given the gradient itself.
    np.testing.assert_array_equal(gdlab.sgd(1.0).update(huge, gdlab.sgd(1.0).init(huge))[0], -huge)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_a_rule_for_the_tree_squares_gradients_of_16_bits_in_float32(dtype):
    @gdlab.transformation(squares=True)
    def square_all():
        return lambda updates: jax.tree.map(jnp.square, updates)

    gradient = jnp.array([3.0, -100.0, 2.0**-5], dtype)
    updates, _ = square_all().update(gradient, square_all().init(gradient))
    np.testing.assert_array_equal(updates, jnp.array([9.0, 10_000.0, 2.0**-10], dtype))


def test_moduli_of_complex_elements_are_bounded_and_their_phases_stay():
    z = jnp.exp(1j * jnp.array([0.5, 2.0])) * jnp.array([1e30, 3.0])
    updates, state = gdlab.adam(0.1).update(z, gdlab.adam(0.1).init(z))
    assert np.isfinite(numbers(jax.tree.map(jnp.abs, state))).all()
    np.testing.assert_allclose(updates, -0.1 * z / jnp.abs(z), rtol=1e-6)


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_what_is_infinite_counts_as_large_and_a_nan_stays_where_it_is():
    gradient = jnp.array([-jnp.inf, jnp.nan, 1.0])
    updates, _ = gdlab.adam(0.1).update(gradient, gdlab.adam(0.1).init(gradient))
    np.testing.assert_allclose(updates, [0.1, np.nan, -0.1], rtol=1e-6)

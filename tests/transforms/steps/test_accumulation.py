"""Several micro-batches make one update, and the inner transformation runs once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    above,
    accumulate,
    adam,
    apply_every,
    apply_if_finite,
    chain,
    clip_by_global_norm,
    leafwise,
    linear_schedule,
    sgd,
    skip_outliers,
)

RNG = np.random.default_rng(0)
MICRO = [jnp.asarray(RNG.normal(size=3), jnp.float32) for _ in range(6)]
PARAMS = jnp.ones(3, jnp.float32)


def stepped(tx, gradients):
    state, every = tx.init(PARAMS), []
    for gradient in gradients:
        updates, state = tx.update(gradient, state, PARAMS)
        every.append(updates)
    return every, state


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(
    "inner", [adam(0.1), chain(clip_by_global_norm(0.5), sgd(0.1, 0.9))], ids=repr
)
def test_k_micro_batches_are_one_batch(k, inner):
    every, state = stepped(accumulate(inner, k), MICRO)
    batches = [sum(MICRO[i : i + k]) / k for i in range(0, 6, k)]
    expected, plain = stepped(inner, batches)
    # The running mean rounds otherwise than the sum.
    np.testing.assert_allclose(every[k - 1 :: k], expected, rtol=1e-4, atol=1e-6)
    assert all(not updates.any() for i, updates in enumerate(every) if (i + 1) % k)
    assert jax.tree.structure(state.inner) == jax.tree.structure(plain)


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_it_agrees_with_optax():
    ours, _ = stepped(accumulate(adam(0.1), 3), MICRO)
    multi = optax.MultiSteps(optax.adam(0.1), 3)
    theirs, _ = stepped(multi.gradient_transformation(), MICRO)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_inner_update_runs_on_the_last_micro_batch_alone():
    runs = []

    @leafwise
    def spy():
        def update(u):
            jax.debug.callback(lambda: runs.append(1))
            return u

        return update

    tx = accumulate(spy(), 3)
    stepped(tx, MICRO)
    jax.effects_barrier()
    assert len(runs) == 2
    program = str(jax.make_jaxpr(tx.update)(PARAMS, tx.init(PARAMS)))
    assert "cond" in program


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_a_nan_in_one_batch_does_not_poison_the_next():
    gradients = [MICRO[0], jnp.full(3, jnp.nan), *MICRO[2:]]
    for tx in (accumulate(sgd(0.1), 2), accumulate(apply_if_finite(sgd(0.1, 0.9)), 2)):
        every, _ = stepped(tx, gradients)
        np.testing.assert_allclose(every[3], -0.1 * (MICRO[2] + MICRO[3]) / 2, rtol=1e-5)
        assert not every[0].any()
        assert not every[2].any()


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_a_nan_is_not_applied_before_its_batch_is_complete():
    every, _ = stepped(accumulate(sgd(0.1), 3), [jnp.full(3, jnp.nan), *MICRO[1:3]])
    assert not np.any(every[:2])
    assert np.isnan(every[2]).all()


def test_a_schedule_within_counts_updates_and_not_micro_batches():
    every, _ = stepped(accumulate(sgd(linear_schedule(1.0, 0.0, 2)), 2), [PARAMS] * 6)
    assert [float(updates[0]) for updates in every] == [0, -1, 0, -0.5, 0, 0]


def test_low_precision_micro_batches_are_averaged_in_float32():
    tx = accumulate(sgd(1.0), 256)
    g = jnp.array([1.0], jnp.bfloat16)

    def step(state, scale):
        updates, state = tx.update(g * scale, state)
        return state, updates

    scales = jnp.where(jnp.arange(256) < 128, 1.0, 1.0078125).astype(jnp.bfloat16)
    state, updates = jax.lax.scan(step, tx.init(g), scales)
    assert state.mean.dtype == jnp.float32
    assert updates.dtype == jnp.bfloat16
    assert float(-updates[-1, 0]) == pytest.approx(1.00390625, abs=2**-8)


def test_the_number_of_micro_batches_can_be_swept():
    updates = jax.vmap(lambda k: jnp.stack(stepped(accumulate(sgd(1.0), k), [PARAMS] * 4)[0])[:, 0])
    assert updates(jnp.array([1.0, 2.0, 4.0])).tolist() == [
        [-1, -1, -1, -1],
        [0, -1, 0, -1],
        [0, 0, 0, -1],
    ]


@pytest.mark.x64
def test_micro_batches_weighed_by_their_tokens_are_the_batch_of_all_tokens():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=12)

    def gradient(w, rows):
        return jnp.asarray(2 * x[rows].T @ (x[rows] @ w - y[rows]) / len(x[rows]))

    pieces = [slice(0, 2), slice(2, 9), slice(9, 12)]
    w, tx = np.ones(3), accumulate(adam(0.1), 3)
    state = tx.init(jnp.asarray(w))
    for _ in range(2):
        for rows in pieces:
            tokens = rows.stop - rows.start
            updates, state = tx.update(gradient(w, rows), state, weight=tokens)
    whole = adam(0.1)
    expected, inner = whole.update(gradient(w, slice(None)), whole.init(jnp.asarray(w)))
    expected, inner = whole.update(gradient(w, slice(None)), inner)
    np.testing.assert_allclose(updates, expected, rtol=1e-12)
    assert state.weight == 0


def test_micro_batches_without_weight_change_nothing():
    tx = accumulate(sgd(1.0), 2)
    state = tx.init(PARAMS)
    for g, weight in ((1e30 * PARAMS, 0.0), (MICRO[0], 5.0)):
        updates, state = tx.update(g, state, weight=weight)
    np.testing.assert_array_equal(updates, -MICRO[0])
    for _ in range(2):
        updates, state = tx.update(MICRO[0], state, weight=0.0)
    assert not updates.any()


@pytest.mark.usually(enable_x64="two programs of float64 differ in the last bit")
def test_with_one_micro_batch_it_is_the_inner_transformation_to_the_bit():
    for inner in (sgd(1.0), clip_by_global_norm(0.5)):
        with jax.disable_jit():
            np.testing.assert_array_equal(
                stepped(accumulate(inner, 1), MICRO)[0], stepped(inner, MICRO)[0]
            )


@pytest.mark.parametrize("bad", [0, 1, 3])
@pytest.mark.usually(debug_nans="it makes a NaN on purpose", dtype_promotion="optax mixes dtypes")
def test_a_guard_around_it_skips_a_bad_micro_batch_as_that_of_optax_does(bad):
    gradients = [*MICRO[:bad], jnp.full(3, jnp.nan), *MICRO[bad:]]
    ours, state = stepped(apply_if_finite(accumulate(adam(0.1), 2)), gradients)
    multi = optax.MultiSteps(
        optax.adam(0.1), 2, should_skip_update_fn=optax.transforms.skip_not_finite
    )
    theirs, _ = stepped(multi.gradient_transformation(), gradients)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert state.total_notfinite == 1


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_a_guard_around_it_skips_a_huge_micro_batch_as_that_of_optax_does():
    gradients = [MICRO[0], 1e6 * MICRO[1], *MICRO[1:]]
    skips = skip_outliers(accumulate(adam(0.1), 2), above(100.0))
    multi = optax.MultiSteps(
        optax.adam(0.1),
        2,
        should_skip_update_fn=functools.partial(
            optax.transforms.skip_large_updates, max_squared_norm=1e4
        ),
    )
    ours, theirs = (stepped(tx, gradients)[0] for tx in (skips, multi.gradient_transformation()))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_updates_are_added_up_and_applied_as_by_optax(k):
    ours, _ = stepped(chain(adam(0.1), apply_every(k)), MICRO)
    theirs, _ = stepped(optax.chain(optax.adam(0.1), optax.apply_every(k)), MICRO)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)

"""Measurements in the state, which move nothing else in it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    adam,
    chain,
    clip_by_global_norm,
    find_slot,
    flatten_state,
    global_norm,
    hyperparameters,
    linear_schedule,
    measure_with_ema,
    monitor,
    restore_state,
    sgd,
    snapshot,
    trace,
)

GRADS = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)


def is_clipped(updates):
    return global_norm(updates) > 1.5


def by_leaf(updates):
    return jax.tree.map(jnp.mean, updates)


def run(tx):
    state, every = tx.init(GRADS[0]), []
    for g in GRADS:
        updates, state = tx.update(g, state, GRADS[0])
        every.append(updates)
    return np.stack(every), state


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_what_passes_is_measured_as_by_optax_and_not_changed():
    ours = chain(
        sgd(0.1, 0.9),
        monitor({"norm": global_norm, "clipped": measure_with_ema(is_clipped, 0.9)}),
        clip_by_global_norm(0.05),
    )
    theirs = optax.chain(
        optax.sgd(0.1, 0.9),
        optax.monitor(
            {"norm": optax.tree.norm, "clipped": optax.measure_with_ema(is_clipped, 0.9)}
        ),
        optax.clip_by_global_norm(0.05),
    )
    one, state = run(ours)
    other, expected = run(theirs)
    np.testing.assert_allclose(one, other, rtol=1e-5)
    np.testing.assert_allclose(state.norm, optax.tree.get(expected, "norm"), rtol=1e-6)
    found = optax.tree.get(expected, "clipped")
    np.testing.assert_allclose(state.clipped.value, found, rtol=1e-5)


def test_an_averaged_constant_is_itself_whatever_the_schedule_of_the_decay():
    tx = monitor({"one": measure_with_ema(lambda _: 1, linear_schedule(0.5, 0.99, 4))})
    _, state = run(tx)
    assert state.one.value == 1
    assert hyperparameters(tx)["measures.one.decay"] == 0.5


def test_the_last_measurement_has_any_structure():
    _, state = run(chain(snapshot("means", by_leaf), sgd(0.1)))
    np.testing.assert_allclose(state.means, GRADS[-1].mean(), rtol=1e-6)
    assert find_slot(state, "means") == state.means


def test_the_state_of_what_is_watched_is_where_it_was():
    watched = chain(adam(0.1), monitor({"norm": global_norm}))
    plain, bare = flatten_state(run(adam(0.1))[1]), flatten_state(run(watched)[1])
    assert set(bare) == {*plain, "norm"}
    _, misfits = restore_state(watched.init(GRADS[0]), plain, partial=True)
    assert list(misfits) == ["norm"]
    # Links with entries of one name are told apart by position, which a chain of its own keeps.
    one = chain(trace(0.9), trace(0.5))
    two = chain(chain(trace(0.9), monitor({"norm": global_norm})), trace(0.5))
    assert set(two.init(GRADS[0])) == {*one.init(GRADS[0]), "norm"}


def test_measurements_keep_their_dtypes_through_a_scan():
    tx = monitor({"clipped": is_clipped, "norm": measure_with_ema(global_norm, 0.9)})

    def step(state, g):
        _, state = tx.update(g, state)
        return state, state.clipped

    state, clipped = jax.lax.scan(step, tx.init(GRADS[0]), GRADS)
    assert clipped.dtype == jnp.bool_
    assert clipped.tolist() == [bool(is_clipped(g)) for g in GRADS]
    weights = 0.1 * 0.9 ** np.arange(5)[::-1]
    expected = weights @ np.linalg.norm(GRADS, axis=1) / weights.sum()
    assert float(state.norm.value) == pytest.approx(expected, rel=1e-5)


def test_a_measure_may_be_of_several_numbers():
    tx = chain(monitor({"bounds": lambda u: (jnp.min(u), jnp.max(u))}), sgd(0.1))
    _, state = tx.update(jnp.array([3.0, -4.0]), tx.init(jnp.zeros(2)))
    assert jax.tree.map(float, state.bounds) == (-4.0, 3.0)

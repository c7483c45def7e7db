"""Steps that are not finite are skipped, counted and reported, and never applied."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    adam,
    apply_if_finite,
    chain,
    clip_by_global_norm,
    constant_schedule,
    dadapt_lion,
    leafwise,
    linear_schedule,
    scale,
    sgd,
)

GOOD = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
BAD = {
    kind: {"a": np.array([1.0, value], np.float32), "b": np.array(0.5, np.float32)}
    for kind, value in {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}.items()
}


def stepped(tx, gradients):
    state, every = tx.init(GOOD), []
    for gradient in gradients:
        updates, state = tx.update(gradient, state, GOOD)
        every.append(updates)
    return every, state


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize(
    "inner", [adam(0.1), chain(clip_by_global_norm(1.0), sgd(0.1, 0.9))], ids=repr
)
def test_a_bad_step_is_as_if_it_had_not_been(kind, inner):
    tx = apply_if_finite(inner)
    every, state = stepped(tx, [GOOD, BAD[kind], BAD[kind], GOOD])
    expected, plain = stepped(inner, [GOOD, GOOD])
    for skipped in every[1:3]:
        assert all(not leaf.any() for leaf in jax.tree.leaves(skipped))
    # The program that guards is another one than that of the inner method, so that each of the two
    # steps may round a dozen times in another way. One step more would be seen in the first digit.
    close = functools.partial(np.testing.assert_allclose, rtol=2 * 12 * np.finfo(np.float32).eps)
    jax.tree.map(close, [every[0], every[3]], expected)
    jax.tree.map(close, state.inner_state, plain)


def test_a_method_that_computes_with_its_scheduled_numbers_is_guarded():
    steady = constant_schedule(0.99)
    # It takes the root of β₂ before its first step.
    (scheduled, _), (plain, _) = (
        stepped(apply_if_finite(dadapt_lion(betas=(0.9, b2))), [GOOD]) for b2 in (steady, 0.99)
    )
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), scheduled, plain)


def test_skipped_steps_are_counted_in_a_row_and_in_all():
    tx = apply_if_finite(sgd(0.1))
    counts = []
    state = tx.init(GOOD)
    for gradient in [GOOD, BAD["nan"], BAD["inf"], GOOD, BAD["nan"]]:
        _, state = tx.update(gradient, state)
        counts.append(
            (bool(state.last_finite), int(state.notfinite_count), int(state.total_notfinite))
        )
    assert counts == [(True, 0, 0), (False, 1, 1), (False, 2, 2), (True, 0, 2), (False, 1, 3)]


def test_however_many_come_in_a_row_none_is_applied():
    tx = apply_if_finite(sgd(0.1))

    def step(state, _):
        updates, state = tx.update(BAD["nan"], state)
        return state, updates

    state, updates = jax.lax.scan(step, tx.init(GOOD), length=50)
    assert all(not leaf.any() for leaf in jax.tree.leaves(updates))
    assert state.notfinite_count == 50


def test_a_step_made_bad_by_the_inner_one_is_skipped_too():
    @leafwise
    def logarithm():
        return jnp.log

    every, state = stepped(apply_if_finite(chain(logarithm(), scale(2.0))), [GOOD])
    assert all(not leaf.any() for leaf in jax.tree.leaves(every))
    assert state.total_notfinite == 1


def test_a_skipped_step_does_not_advance_a_schedule():
    tx = apply_if_finite(sgd(linear_schedule(1.0, 0.0, 2)))
    every, _ = stepped(tx, [GOOD, BAD["nan"], GOOD, GOOD])
    assert [float(updates["b"]) for updates in every] == [-0.5, 0.0, -0.25, 0.0]


@pytest.mark.usually(debug_nans="it makes a NaN on purpose, and lanes take both sides")
def test_a_lane_that_is_skipped_touches_no_other():
    tx = apply_if_finite(sgd(0.5))
    lanes = jnp.array([[1.0, 2.0], [jnp.nan, 2.0]])
    updates, state = jax.vmap(lambda g: tx.update(g, tx.init(g)))(lanes)
    assert updates.tolist() == [[-0.5, -1.0], [0.0, 0.0]]
    assert state.total_notfinite.tolist() == [0, 1]

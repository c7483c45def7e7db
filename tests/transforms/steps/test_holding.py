"""Sample and hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, analysis, chain, ema, hold, scale, sgd, sweep, trace, transformation

RUNS = []


@transformation
def watched():
    def update(updates):
        jax.debug.callback(lambda: RUNS.append(True))
        return jax.tree.map(lambda u: 10 * u, updates)

    return update


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_output_is_that_of_the_last_sample(every):
    tx = hold(scale(2.0), every)
    state = tx.init(jnp.zeros(()))
    for step in range(9):
        u, state = tx.update(jnp.float32(step), state)
        assert float(u) == 2 * (step - step % every)


def test_between_samples_the_inner_transformation_sees_nothing():
    grads = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    tx, inner = hold(trace(0.9), 3), trace(0.9)
    state, of_inner = tx.init(jnp.zeros(2)), inner.init(jnp.zeros(2))
    for step, g in enumerate(grads):
        if step % 3 == 0:
            expected, of_inner = inner.update(g, of_inner)
        u, state = tx.update(g, state)
        np.testing.assert_array_equal(u, expected)
    np.testing.assert_array_equal(state.inner.trace, of_inner.trace)


@pytest.mark.x64(dtype_promotion="standard")
def test_gradients_in_less_than_the_parameters_are_held_as_wide_as_these():
    tx = hold(scale(2.0), 2)
    state = tx.init(jnp.zeros(()))
    for g in (1.0, 3.0):
        u, state = tx.update(jnp.float32(g), state)
        assert float(u) == 2
    assert state.held.dtype == jnp.float64


def test_lanes_that_are_due_at_other_steps_sample_at_their_own():
    tx = hold(watched(), 4)
    grads = jnp.arange(1.0, 9.0)
    start = tx.init(jnp.zeros(()))
    run = lambda phase: jax.lax.scan(  # noqa: E731
        lambda state, g: tx.update(g, state)[::-1], start.replace(phase=phase), grads
    )[1]
    RUNS.clear()
    lanes = jax.jit(jax.vmap(run))(jnp.array([0, 2]))
    jax.effects_barrier()
    np.testing.assert_array_equal(lanes[0], [10, 10, 10, 10, 50, 50, 50, 50])
    np.testing.assert_array_equal(lanes[1], [0, 0, 30, 30, 30, 30, 70, 70])
    # One of the lanes is due at every other step, and at the rest nothing is run.
    assert len(RUNS) == 4


def test_period_is_a_hyperparameter_that_is_swept():
    loss = lambda w: 0.5 * w**2  # noqa: E731
    tx = chain(hold(ema(0.5), Axis("every", [1, 2])), sgd(0.1))
    result = sweep(loss, jnp.array(1.0), tx, steps=5)
    alone = sweep(loss, jnp.array(1.0), chain(hold(ema(0.5), 2), sgd(0.1)), steps=5)
    np.testing.assert_allclose(result.loss[1], alone.loss, rtol=1e-6)


@pytest.mark.x64
def test_rate_of_a_held_gradient_is_that_of_its_period():
    # Twice the same step is one of twice the rate: 1 − 2ηλ over two steps.
    tx = chain(hold(scale(1.0), 2), sgd(0.1))
    rate = analysis.linearize(tx, 1.0).spectral_radius
    np.testing.assert_allclose(float(rate), np.sqrt(1 - 0.2), rtol=1e-12)

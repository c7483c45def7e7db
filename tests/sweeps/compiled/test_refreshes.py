"""What is refreshed every k steps is refreshed at every k-th step of a sweep, and at no other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Axis, Resources, flatten_state, linear_schedule, restore_state, sweep

STEPS = 12
"""Those taken: the last of them judges the points that the one before led to."""
RATES = [0.001, 0.002, 0.003, 0.004]
TARGET = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
START = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)


@pytest.fixture
def executed(monkeypatch):
    """The decompositions that were computed, matrix by matrix."""
    seen = []

    def watched(name, function):
        def with_count(*arguments, **options):
            jax.debug.callback(lambda _: seen.append(name), jnp.ravel(arguments[0])[0])
            return function(*arguments, **options)

        return with_count

    for name in ("eigh", "qr", "svd"):
        monkeypatch.setattr(jnp.linalg, name, watched(name, getattr(jnp.linalg, name)))

    def count(tx, **options):
        def loss(w):  # a new one each time, since what was compiled before would not be counted
            return 0.5 * jnp.sum((w - TARGET) ** 2) + jnp.sum(w**4)

        seen.clear()
        result = sweep(loss, START, tx, steps=STEPS - 1, key=jax.random.key(0), **options)
        jax.effects_barrier()
        return list(seen), np.ravel(result.final_loss)

    count.seen = seen
    return count


METHODS = {
    "shampoo": (lambda rate, every: gdlab.shampoo(rate, every=every), 2, 0),
    "caspr": (lambda rate, every: gdlab.caspr(rate, every=every), 2, 0),
    # Its first refresh is of another kind, and lanes compute both kinds in it, one for each vmap.
    "soap": (lambda rate, every: gdlab.soap(rate, every=every), 2, 2),
    "splus": (lambda rate, every: gdlab.splus(rate, every=every), 2, 0),
    "kl_shampoo": (lambda rate, every: gdlab.kl_shampoo(rate, every=every), 2, 0),
    "galore": (lambda rate, every: gdlab.galore(rate, 1, every), 1, 0),
}
"""Methods by their period, the matrices that a refresh decomposes, and refreshes once in a run."""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", METHODS)
def test_the_cost_of_refreshes_falls_as_one_over_k_in_a_sweep(executed, name):
    make, matrices, once = METHODS[name]
    for every in (1, 4):
        times, _ = executed(make(Axis("learning_rate", RATES), float(every)))
        assert len(times) == len(RATES) * matrices * (STEPS // every + once)


@pytest.mark.slow
def test_lanes_in_chunks_refresh_as_often_as_all_at_once(executed):
    tx = gdlab.shampoo(Axis("learning_rate", RATES), every=4.0)
    whole, expected = executed(tx)
    in_chunks, losses = executed(tx, resources=Resources(lane_chunk=2))
    assert sorted(in_chunks) == sorted(whole)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


@pytest.mark.slow
def test_lanes_of_different_periods_refresh_whenever_one_of_them_is_due(executed):
    periods = [3.0, 4.0]
    times, losses = executed(gdlab.shampoo(0.002, every=Axis("every", periods)))
    due = {step for step in range(STEPS) for period in periods if step % period == 0}
    assert len(times) == len(periods) * 2 * len(due)
    alone = [executed(gdlab.shampoo(0.002, every=period))[1] for period in periods]
    np.testing.assert_allclose(losses, np.ravel(alone), rtol=1e-4)


@pytest.mark.slow
def test_a_scheduled_period_is_that_of_each_step(executed):
    period = linear_schedule(2.0, 4.0, 8)
    times, _ = executed(gdlab.shampoo(Axis("learning_rate", RATES), every=period))
    periods = np.ceil([2 + 2 * min(step / 8, 1) for step in range(STEPS)])
    assert len(times) == len(RATES) * 2 * int(np.sum(np.arange(STEPS) % periods == 0))


def test_a_run_that_goes_on_from_a_stored_state_refreshes_when_it_would_have(executed):
    make = lambda rate: gdlab.shampoo(rate, every=4.0)  # noqa: E731
    rates = jnp.array(RATES)

    @jax.jit
    def six_steps(states):
        def step(state, _):
            return make(0.1).update(START, state, START)[1], None

        return jax.vmap(lambda state: jax.lax.scan(step, state, None, 6)[0])(states)

    fresh = jax.vmap(lambda rate: make(rate).init(START))(rates)
    arrays = flatten_state(six_steps(fresh))  # refreshed at 0 and 4
    jax.effects_barrier()
    executed.seen.clear()
    six_steps(restore_state(fresh, arrays)[0])  # refreshed at 8
    jax.effects_barrier()
    assert len(executed.seen) == len(RATES) * 2


def test_the_factors_of_kron_are_updated_at_their_share_of_the_steps():
    seen = []

    def probe(key, shape, dtype):
        v = jax.random.normal(key, shape, dtype)
        jax.debug.callback(lambda _: seen.append(1), v.ravel()[0])
        return v

    rates = Axis("learning_rate", RATES)
    tx = gdlab.chain(
        gdlab.scale_by_kron(preconditioner_update_probability=0.25, probe=probe),
        gdlab.scale_by_learning_rate(rates),
    )
    loss = lambda w: 0.5 * jnp.sum((w - TARGET) ** 2)  # noqa: E731
    sweep(loss, START, tx, steps=STEPS - 1, key=jax.random.key(0))
    jax.effects_barrier()
    assert len(seen) == len(RATES) * STEPS // 4

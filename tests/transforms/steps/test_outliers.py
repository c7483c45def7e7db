"""Steps far out of the ordinary are skipped, counted and reported, and the run recovers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    above,
    adam,
    apply_if_finite,
    beyond_median,
    beyond_sigmas,
    join,
    linear_schedule,
    sgd,
    skip_outliers,
)

ORDINARY = 1 + 0.1 * np.sin(np.arange(40.0))


def taken(tx, norms, values=None):
    """Which steps of gradients of these norms are taken, and the last state."""

    def step(state, known):
        norm, value = known
        extra = {} if values is None else {"value": value}
        updates, state = tx.update(jnp.array([0.6, 0.8]) * norm, state, **extra)
        return state, updates.any()

    start = tx.init(jnp.zeros(2))
    known = jnp.asarray(norms, jnp.float32), jnp.asarray(norms if values is None else values)
    state, moved = jax.jit(lambda: jax.lax.scan(step, start, known))()
    return np.asarray(moved), state


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "is_outlier", [beyond_sigmas(6.0), beyond_median(3.0), above(2.0)], ids=repr
)
@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_spikes_are_skipped_and_nothing_else(is_outlier):
    norms = ORDINARY.copy()
    norms[[20, 21, 30, 31, 33]] = 1e18, 5.0, np.nan, np.inf, 5.0
    moved, state = taken(skip_outliers(sgd(1.0), is_outlier, window=16), norms)
    assert np.flatnonzero(~moved).tolist() == [20, 21, 30, 31, 33]
    assert (int(state.total_skipped), int(state.skipped_count)) == (5, 0)


def test_a_spike_of_the_loss_is_one_as_well():
    values = ORDINARY.copy() - 1.2
    values[20] = 4.0
    tx = skip_outliers(sgd(1.0), window=16, of_value=True)
    moved, _ = taken(tx, ORDINARY, values)
    assert np.flatnonzero(~moved).tolist() == [20]
    with pytest.raises(ValueError, match="keyword value is needed by skip_outliers"):
        taken(tx, ORDINARY)


def last_step_of_adam(guarded):
    def step(state, g):
        updates, state = guarded.update(g[None], state)
        return state, updates

    gradients = jnp.where(jnp.arange(400) == 20, 1e15, 1.0)
    return jax.lax.scan(step, guarded.init(jnp.zeros(1)), gradients)[1][-1, 0]


def test_adam_does_not_freeze_after_one_huge_gradient_and_unguarded_it_does():
    assert last_step_of_adam(skip_outliers(adam(0.1), window=16)) == pytest.approx(-0.1, rel=1e-4)
    # It is below the bound on what is squared, so that it is no case for that guard.
    for frozen in (adam(0.1), apply_if_finite(adam(0.1))):
        assert abs(last_step_of_adam(frozen)) < 1e-12


@pytest.mark.parametrize("is_outlier", [beyond_sigmas(6.0), beyond_median(3.0)], ids=repr)
def test_what_lasts_becomes_ordinary_after_a_window(is_outlier):
    norms = np.concatenate([ORDINARY, 1e6 * ORDINARY])
    moved, state = taken(skip_outliers(sgd(1.0), is_outlier, window=16), norms)
    assert np.flatnonzero(~moved).tolist() == list(range(40, 56))
    assert int(state.skipped_count) == 0


def test_rounding_around_a_constant_is_no_outlier():
    norms = np.full(40, 3.0, np.float32)
    norms[20:] *= 1 + 1e-5
    for is_outlier in (beyond_sigmas(), beyond_median()):
        moved, _ = taken(skip_outliers(sgd(1.0), is_outlier, window=16), norms)
        assert moved.all()


def test_all_is_taken_until_half_of_the_window_is_known():
    norms = np.array([1.0, 1e3, 1.0, 1.1, 1e6])
    moved, _ = taken(skip_outliers(sgd(1.0), beyond_median(10.0), window=8), norms)
    assert moved.tolist() == [True, True, True, True, False]


def test_a_skipped_step_advances_neither_the_inner_state_nor_its_schedule():
    norms = np.array([1.0, 1.0, 50.0, 1.0])
    tx = skip_outliers(sgd(linear_schedule(1.0, 0.0, 10), 0.9), above(10.0))
    _, state = taken(tx, norms)
    assert state.inner_state.count == 3
    np.testing.assert_allclose(state.inner_state.trace, np.array([0.6, 0.8]) * 2.71, rtol=1e-6)


@pytest.mark.x64
def test_sigmas_and_medians_are_those_of_numpy_over_what_is_known():
    rng = np.random.default_rng(0)
    for count in (4, 5, 8):
        before = rng.exponential(size=8)
        known = jnp.arange(8) < count
        mean, sigma = np.mean(before[:count]), np.std(before[:count])
        middle = np.median(before[:count])
        for tell, bound in (
            (beyond_sigmas(2.0), mean + 2 * sigma),
            (beyond_sigmas(2.0, 3.0), mean + 2 * max(sigma, 3 * mean)),
            (beyond_median(2.0), 2 * middle),
        ):
            around = jnp.asarray([bound * (1 - 1e-12), bound * (1 + 1e-12)])
            assert tell(around, jnp.asarray(before), known).tolist() == [False, True]


def test_a_criterion_can_be_any_function_of_the_last_numbers():
    @join
    def rising():
        return lambda x, before, known: x > jnp.max(jnp.where(known, before, jnp.inf))

    moved, _ = taken(skip_outliers(sgd(1.0), rising(), window=2), [3.0, 2.0, 2.5, 3.5, 2.0])
    assert moved.tolist() == [True, True, True, False, True]


def test_guards_of_the_norm_and_of_the_loss_go_around_each_other():
    norms, values = ORDINARY.copy(), ORDINARY.copy()
    norms[20], values[30] = 50.0, 50.0
    inner = skip_outliers(sgd(1.0), window=16)
    moved, state = taken(skip_outliers(inner, window=16, of_value=True), norms, values)
    assert np.flatnonzero(~moved).tolist() == [20, 30]
    assert (int(state.total_skipped), int(state.inner_state.total_skipped)) == (1, 1)

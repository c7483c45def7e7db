"""Population-based training against a simulation by hand, given whom each member took after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, Resources, sgd, sweep
from gdlab.sweeps import PopulationBasedTraining

STEPS, EVERY, SEEDS, MOMENTUM = 23, 5, 3, 0.5
RUNGS = [5, 10, 15, 20]
# Curvature 1, so the last two are gone before the first rung.
RATES = np.array([1e-3, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 200.0, 1e4])
SHIFTS = np.arange(5, 15) / 10
FACTORS = (0.5, 2.0)
COUNT = 3


def loss(w, shift):
    return 0.5 * w**2 + 0.01 * shift


def init(key):
    return jax.random.normal(key)


POLICY = PopulationBasedTraining(every=EVERY, fraction=0.3, factors=FACTORS)


def run(**arguments):
    return sweep(
        loss, init, sgd(Axis("rate", RATES, along="member"), MOMENTUM), seeds=SEEDS,
        hyperparameters={"shift": Axis("shift", SHIFTS, along="member")},
        **{"steps": STEPS, "policy": POLICY, "keep_params": "all"} | arguments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def result():
    return run()


@pytest.fixture(scope="module")
def first():
    still = sweep(
        loss, init, sgd(0.0), steps=1, seeds=SEEDS, keep_params="all",
        hyperparameters={"shift": 0.0},
    )  # fmt: skip
    return np.asarray(still.params, np.float64)


def simulated(first, history):
    """Losses and parameters of gradient descent with momentum in float64.

    It follows the parents and hyperparameters that a history tells of.
    """
    w = np.tile(first, (len(RATES), 1))
    velocity, dead = np.zeros_like(w), np.zeros(w.shape, bool)
    rates, shifts = RATES.astype(float)[:, None], SHIFTS.astype(float)[:, None]
    losses, start, last_good = [], None, w
    for step in range(STEPS + 1):
        if step in RUNGS:
            rung = RUNGS.index(step)
            parent = history["parent"][rung]
            w, velocity, dead = w[parent], velocity[parent], dead[parent]
            start, last_good = start[parent], last_good[parent]
            rates, shifts = (
                history[name][rung].astype(float)[:, None] for name in ("rate", "shift")
            )
        value = 0.5 * w**2 + 0.01 * shifts
        start = value if start is None else start
        dead = dead | (value > 1e4 * start)
        last_good = np.where(dead, last_good, w)
        losses.append(np.where(dead, np.nan, value))
        velocity = MOMENTUM * velocity + w
        w = np.where(dead, w, w - rates * velocity)
    return np.stack(losses, axis=-1), last_good


def test_the_history_has_a_row_for_each_rung_and_a_column_for_each_member(result):
    assert result.dims == ("member", "seed")
    np.testing.assert_array_equal(result.coords["rung"], RUNGS)
    assert set(result.history) == {"rate", "shift", "parent"}
    for values in result.history.values():
        assert values.shape == (len(RUNGS), len(RATES))


def test_all_losses_and_parameters_follow_from_the_history(result, first):
    losses, w = simulated(first, result.history)
    np.testing.assert_allclose(result.loss, losses, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(result.params, w, rtol=1e-3, atol=1e-5)


def test_the_history_follows_from_the_losses(result):
    """Who are the best and the worst is decided here, by the losses that were recorded."""
    values = {"rate": RATES, "shift": SHIFTS}
    replaced = 0
    for rung, step in enumerate(RUNGS):
        recorded = result.loss[:, :, step - 1]
        scores = np.median(np.where(np.isnan(recorded), np.inf, recorded), axis=1)
        order = np.argsort(scores, kind="stable")
        best, worst = order[:COUNT], order[-COUNT:]
        kept = np.setdiff1d(np.arange(len(RATES)), worst)
        parent = result.history["parent"][rung]
        np.testing.assert_array_equal(parent[kept], kept)
        assert set(parent[worst]) <= set(best)
        for name, start in (("rate", RATES), ("shift", SHIFTS)):
            now = result.history[name][rung]
            np.testing.assert_array_equal(now[kept], values[name][kept])
            inherited = values[name][parent[worst]]
            possible = np.clip(np.multiply.outer(FACTORS, inherited), start.min(), start.max())
            assert np.isclose(now[worst], possible, rtol=1e-6).any(axis=0).all()
            replaced += (now[worst] != values[name][worst]).sum()
            values[name] = now
    assert replaced > len(RUNGS)


def test_the_dead_go_on_as_others(result):
    assert np.isnan(result.loss[-2:, :, EVERY - 1]).all()
    assert np.isfinite(result.loss[-2:, :, EVERY:]).all()
    assert set(result.status[-2:].ravel()) == {"ok"}
    assert (result.stopped_at[-2:] == -1).all()
    assert (result.history["parent"][0][-2:] < 8).all()


def test_each_member_is_told_by_its_values_at_the_start(result):
    np.testing.assert_array_equal(result.coords["rate"], RATES)
    np.testing.assert_array_equal(result.coords["shift"], SHIFTS)


def test_the_same_call_moves_alike_and_another_key_otherwise(result):
    again, other = run(), run(key=jax.random.key(1))
    for name, values in result.history.items():
        np.testing.assert_array_equal(again.history[name], values)
    np.testing.assert_array_equal(again.loss, result.loss)
    assert not np.array_equal(other.history["parent"], result.history["parent"])


@pytest.mark.parametrize("chunk", [12, 2])
def test_chunks_move_alike(result, chunk):
    """A member may take after one of another chunk, and seeds may be in chunks of their own."""
    chunks = run(resources=Resources(lane_chunk=chunk))
    for name, values in result.history.items():
        np.testing.assert_array_equal(chunks.history[name], values)
    np.testing.assert_allclose(chunks.loss, result.loss, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(chunks.params, result.params, rtol=1e-4, atol=1e-7)


def test_the_metric_decides_who_is_best():
    policy = PopulationBasedTraining(every=EVERY, fraction=0.3, metric="height", maximize=True)
    result = run(policy=policy, evaluate=lambda w: {"height": jnp.abs(w)}, steps=6)
    # The slowest stay highest, so all that are replaced take after them.
    parent = result.history["parent"][0]
    moved = parent != np.arange(len(RATES))
    slowest = set(np.argsort(np.where(RATES < 2, RATES, np.inf))[:COUNT])
    assert set(parent[moved]) <= slowest
    assert moved.sum() == COUNT

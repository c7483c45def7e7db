"""Lanes stop at their targets, at the step that the closed form says, and what that has cost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, Stopping, SuccessiveHalving, nesterov, sgd, sweep

RATES = np.array([0.05, 0.1, 0.3, 0.6, 2.5])
STEPS, CURVATURE = 70, 1.0
# |1 − ηλ|, by which the weight shrinks in a step; the last rate diverges.
SHRINK = np.abs(1 - RATES * CURVATURE)


def bowl(w):
    return 0.5 * CURVATURE * w**2


def with_aux(w):
    return bowl(w), {"distance": jnp.abs(w), "height": 1 - w}


def first_at_most(bound, start, shrink):
    """The smallest t with start·shrinkᵗ ≤ bound, or −1 if there is none in time."""
    curve = start * np.power.outer(np.asarray(shrink, float), np.arange(STEPS + 1))
    reached = curve <= bound
    return np.where(reached.any(axis=1), reached.argmax(axis=1), -1)


def run(**arguments):
    tx = sgd(Axis("rate", RATES))
    return sweep(bowl, 1.0, tx, **{"steps": STEPS} | arguments)


@pytest.fixture(scope="module")
def at_loss():
    return run(stopping=Stopping(targets={"loss": 1e-3}), keep_params="all")


def test_a_lane_converges_at_the_step_of_the_closed_form(at_loss):
    expected = first_at_most(1e-3, 0.5, SHRINK**2)
    assert (expected[:4] > 0).all()
    assert at_loss.status[:, 0].tolist() == ["converged"] * 4 + ["diverged"]
    np.testing.assert_array_equal(at_loss.stopped_at[:4, 0], expected[:4])
    # Each point up to the one where it stopped was judged, once.
    np.testing.assert_array_equal(at_loss.evaluations[:, 0], at_loss.stopped_at[:, 0] + 1)


def test_the_loss_stays_where_it_was_reached(at_loss):
    for lane, stopped in enumerate(at_loss.stopped_at[:4, 0]):
        steps = np.minimum(np.arange(STEPS + 1), stopped)
        curve = 0.5 * SHRINK[lane] ** (2 * steps)
        np.testing.assert_allclose(at_loss.loss[lane, 0], curve, rtol=1e-4)
    np.testing.assert_allclose(
        at_loss.params[:4, 0], (1 - RATES[:4]) ** at_loss.stopped_at[:4, 0], rtol=1e-4
    )


def test_the_best_is_among_those_that_converged(at_loss):
    finals = 0.5 * SHRINK[:4] ** (2 * at_loss.stopped_at[:4, 0])
    assert at_loss.best()["rate"] == pytest.approx(RATES[np.argmin(finals)])


def test_without_a_target_all_steps_are_counted():
    result = run()
    assert result.status[:, 0].tolist() == ["ok"] * 4 + ["diverged"]
    np.testing.assert_array_equal(result.evaluations[:4, 0], STEPS + 1)


def test_the_norm_of_the_gradient_can_be_a_target():
    result = run(stopping=Stopping(targets={"gradient_norm": 0.01}))
    expected = first_at_most(0.01, CURVATURE, SHRINK)
    np.testing.assert_array_equal(result.stopped_at[:4, 0], expected[:4])
    # The slowest has 0.95⁷⁰ = 0.028 to go.
    assert result.status[:, 0].tolist() == ["ok"] + ["converged"] * 3 + ["diverged"]


def test_what_the_loss_returns_beside_it_can_be_a_target():
    result = sweep(
        with_aux,
        1.0,
        sgd(Axis("rate", RATES[:4])),
        steps=STEPS,
        has_aux=True,
        stopping=Stopping(targets={"distance": 0.1}),
    )
    np.testing.assert_array_equal(result.stopped_at[:, 0], first_at_most(0.1, 1, SHRINK[:4]))
    # Unlike the loss, what stands beside it is not recorded after the stop.
    for lane, stopped in enumerate(result.stopped_at[:, 0]):
        np.testing.assert_array_equal(
            np.isnan(result.aux["distance"][lane, 0]), np.arange(STEPS + 1) > stopped
        )


def test_all_of_several_targets_must_be_reached():
    targets = {"loss": 1e-3, "gradient_norm": 0.1}
    result = run(stopping=Stopping(targets=targets))
    each = [
        first_at_most(1e-3, 0.5, SHRINK[:4] ** 2),
        first_at_most(0.1, CURVATURE, SHRINK[:4]),
    ]
    np.testing.assert_array_equal(result.stopped_at[:4, 0], np.max(each, axis=0))
    assert result.settings["target loss"] == 1e-3


def test_a_target_that_is_reached_at_the_start_stops_there():
    result = run(stopping=Stopping(targets={"loss": 0.5}))
    assert set(result.status[:, 0]) == {"converged"}
    np.testing.assert_array_equal(result.stopped_at, 0)
    np.testing.assert_array_equal(result.evaluations, 1)
    np.testing.assert_array_equal(result.loss, 0.5)


def test_the_point_after_the_last_step_is_judged_as_well():
    # 0.4ᵗ ≤ 0.4³ first at t = 3, with a margin for rounding.
    result = sweep(
        bowl,
        1.0,
        sgd(Axis("rate", [0.6])),
        steps=3,
        stopping=Stopping(targets={"gradient_norm": 0.4**3 * 1.001}),
    )
    assert result.status[0, 0] == "converged"
    assert result.stopped_at[0, 0] == 3


def test_seeds_converge_each_at_its_own_step():
    result = sweep(
        bowl,
        lambda key: 10 * jax.random.uniform(key),
        sgd(Axis("rate", [0.1, 0.3])),
        steps=STEPS,
        seeds=4,
        stopping=Stopping(targets={"loss": 1e-3}),
    )
    for i, rate in enumerate([0.1, 0.3]):
        for seed in range(4):
            expected = first_at_most(1e-3, result.loss[i, seed, 0], [(1 - rate) ** 2])
            assert result.stopped_at[i, seed] == expected


def test_a_look_ahead_costs_two_evaluations_a_step():
    """The gradient at the point it looks ahead to, and the loss where it stands."""
    tx = nesterov(Axis("rate", RATES[:3]), 0.5)
    result = sweep(bowl, 1.0, tx, steps=STEPS, stopping=Stopping(targets={"loss": 1e-3}))
    stopped = []
    for rate in RATES[:3]:
        w, velocity, step = 1.0, 0.0, 0
        while 0.5 * w**2 > 1e-3:
            velocity = 0.5 * velocity + (w - rate * 0.5 * velocity)
            w, step = w - rate * velocity, step + 1
        stopped.append(step)
    np.testing.assert_array_equal(result.stopped_at[:, 0], stopped)
    np.testing.assert_array_equal(result.evaluations[:, 0], 2 * (np.array(stopped) + 1))


def test_converged_points_survive_halving_as_what_they_have_reached():
    result = run(
        stopping=Stopping(targets={"loss": 0.4}),
        policy=SuccessiveHalving(factor=2.5, rungs=[4]),
        steps=STEPS,
    )
    # Two of five survive; the others that have reached the target are not taken away from it.
    stopped = first_at_most(0.4, 0.5, SHRINK[:4] ** 2)
    assert stopped.tolist() == [3, 2, 1, 1]
    assert result.status[:, 0].tolist() == ["converged"] * 4 + ["pruned"]
    np.testing.assert_array_equal(result.stopped_at[:, 0], [*stopped, 4])
    np.testing.assert_array_equal(result.evaluations[:, 0], [*(stopped + 1), 4])

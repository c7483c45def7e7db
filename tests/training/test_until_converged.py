"""Runs that end when they have converged, and say why they ended."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import gdlab
from gdlab import Outcome, minimize


def rosenbrock(w):
    return jnp.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)


START = np.array([-1.2, 1.0])
value_and_grad = jax.jit(jax.value_and_grad(rosenbrock))


@pytest.mark.x64
def test_a_run_ends_at_the_first_point_whose_gradient_is_small_and_repeats_it():
    loss = lambda w: 0.5 * jnp.sum(w**2)  # noqa: E731
    run = minimize(loss, jnp.array([1.0, -2.0]), gdlab.sgd(0.5), steps=40, tol=1e-3)
    # The largest element is 2·2⁻ᵗ, which is at most 1e-3 from t = 11 on.
    assert (run.steps, run.outcome) == (11, Outcome.CONVERGED)
    halves = 0.5 ** np.minimum(np.arange(41), 11)
    np.testing.assert_allclose(run.path, halves[:, None] * [1.0, -2.0], rtol=1e-14)
    np.testing.assert_allclose(run.values, 2.5 * halves**2, rtol=1e-14)
    np.testing.assert_array_equal(run.params, run.path[-1])
    assert run.evaluations == 12


@pytest.mark.x64
def test_the_steps_are_those_of_the_run_without_a_tolerance():
    tx = gdlab.adam(gdlab.linear_schedule(0.1, 0.01, 20))
    start = jnp.array(START)
    until = minimize(rosenbrock, start, tx, steps=20, tol=0.0)
    plain = minimize(rosenbrock, start, tx, steps=20)
    np.testing.assert_allclose(until.path, plain.path, rtol=1e-12)
    np.testing.assert_allclose(until.values, plain.values, rtol=1e-11)
    assert until.outcome == Outcome.STEP_LIMIT
    assert plain.outcome is None
    assert plain.evaluations is None


@pytest.mark.x64
def test_a_run_from_the_minimum_takes_no_step():
    run = minimize(rosenbrock, jnp.ones(2), gdlab.lbfgs(), steps=5, tol=1e-8)
    assert (run.outcome, run.steps, run.evaluations) == (Outcome.CONVERGED, 0, 1)


@pytest.mark.x64
def test_a_loss_that_ceases_to_be_finite_ends_the_run_there():
    run = minimize(lambda w: jnp.log(w), jnp.array(1.0), gdlab.sgd(0.6), steps=50, tol=1e-8)
    assert run.outcome == Outcome.NOT_FINITE
    assert run.steps == 2  # 1, 0.4, −1.1
    assert np.isfinite(run.values[:2]).all()
    assert np.isnan(run.values[2:]).all()


@pytest.mark.x64
def test_a_search_that_finds_no_lower_point_twice_has_stalled_and_stays_where_it_is():
    wrong = jax.custom_vjp(lambda w: jnp.sum(w**2))
    wrong.defvjp(lambda w: (jnp.sum(w**2), w), lambda w, g: (-2 * g * w,))
    search = gdlab.scale_by_zoom_linesearch(20, approx_dec_rtol=None, initial_guess_strategy="one")
    run = minimize(wrong, jnp.ones(2), gdlab.lbfgs(linesearch=search), steps=100, tol=1e-8)
    assert run.outcome == Outcome.STALLED
    np.testing.assert_array_equal(run.params, 1.0)
    assert run.steps == 2  # once with the memory, once without


@pytest.mark.slow
@pytest.mark.x64
def test_lanes_stop_one_by_one_as_they_would_alone():
    traces = []

    def counted(w):
        traces.append(None)
        return rosenbrock(w)

    starts = jnp.array([[1.0, 1.0], [1.1, 1.2], [-1.2, 1.0], [np.nan, 1.0], [8.0, -3.0]])
    solve = lambda w: minimize(counted, w, gdlab.lbfgs(), 60, tol=1e-8)  # noqa: E731
    together = jax.vmap(solve)(starts)
    once = len(traces)
    alone = [solve(w) for w in starts]
    assert once <= 12
    steps = [int(run.steps) for run in alone]
    assert together.steps.tolist() == steps
    assert len(set(steps)) >= 4
    assert together.evaluations.tolist() == [int(run.evaluations) for run in alone]
    c, n = Outcome.CONVERGED, Outcome.NOT_FINITE
    assert together.outcome.tolist() == [c, c, c, n, c]
    for lane, (run, taken) in enumerate(zip(alone, steps, strict=True)):
        # A lane that has stopped does not change: the rest of its path is its end.
        path = np.asarray(together.path[lane])
        np.testing.assert_array_equal(path[taken:], np.broadcast_to(path[-1], path[taken:].shape))
        np.testing.assert_allclose(path, run.path, rtol=1e-6, atol=1e-9)


@pytest.mark.x64
def test_the_loop_ends_with_the_last_lane():
    seen = []

    def watched(w):
        jax.debug.callback(lambda: seen.append(None))
        return jnp.sum(w**2)

    run = minimize(watched, jnp.ones(2), gdlab.sgd(0.4), steps=100_000, tol=1e-6, keep_path=False)
    jax.effects_barrier()
    assert len(seen) == int(run.evaluations) == int(run.steps) + 1 < 30


@pytest.mark.x64
def test_evaluations_counts_what_is_executed():
    seen = []

    def watched(w):
        jax.debug.callback(lambda: seen.append(None))
        return rosenbrock(w)

    run = minimize(watched, jnp.array(START), gdlab.lbfgs(), 100, tol=1e-8)
    jax.effects_barrier()
    assert run.outcome == Outcome.CONVERGED
    assert len(seen) == run.evaluations


@pytest.mark.slow
@pytest.mark.x64
def test_it_goes_on_from_a_state():
    tx, start = gdlab.lbfgs(), jnp.array(START)
    whole = minimize(rosenbrock, start, tx, 100, tol=1e-8)
    one = minimize(rosenbrock, start, tx, 7, tol=1e-8)
    two = minimize(rosenbrock, one.params, tx, 100, tol=1e-8, state=one.state, first_step=one.steps)
    assert one.outcome == Outcome.STEP_LIMIT
    assert two.steps == whole.steps
    assert one.evaluations + two.evaluations == whole.evaluations + 1
    np.testing.assert_allclose(two.params, whole.params, rtol=1e-8)


def test_a_loss_that_changes_from_step_to_step_has_no_tolerance():
    data = jnp.arange(8.0)
    loss = lambda w, batch: jnp.mean((w - batch) ** 2)  # noqa: E731
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="changes from step to step"):
        minimize(loss, 0.0, gdlab.sgd(0.1), 3, data=data, batch_size=2, key=key, tol=1e-3)
    run = minimize(loss, 0.0, gdlab.sgd(0.5), 30, data=data, tol=1e-3)
    assert run.outcome == Outcome.CONVERGED
    np.testing.assert_allclose(run.params, 3.5, atol=1e-3)


def test_auxiliary_values_and_averages_are_recorded_to_the_end():
    loss = lambda w: (w**2, {"twice": 2 * w})  # noqa: E731
    tx = gdlab.chain(gdlab.sgd(0.25), gdlab.params_ema(0.5))
    run = minimize(loss, 1.0, tx, 30, has_aux=True, tol=0.1)
    taken = int(run.steps)
    assert 0 < taken < 30
    np.testing.assert_allclose(run.aux["twice"], 2 * run.path, rtol=1e-6)
    np.testing.assert_allclose(run.evaluation_values[-1], run.evaluation_params**2, rtol=1e-6)
    np.testing.assert_array_equal(run.evaluation_values[taken:], run.evaluation_values[-1])


# --- What follows a line search


@pytest.mark.x64
@pytest.mark.parametrize("tol", [None, 0.0])
def test_what_a_search_knows_is_not_believed_where_a_later_link_moves_on(tol):
    tx = gdlab.chain(gdlab.lbfgs(), gdlab.scale(0.5))
    run = minimize(rosenbrock, jnp.array(START), tx, 8, tol=tol)
    np.testing.assert_allclose(run.values, [rosenbrock(w) for w in run.path], rtol=1e-12)


# --- Bounds

BOXES = {
    "above": (None, np.array([0.5, np.inf])),
    "both": (np.array([-2.0, -2.0]), 0.8),
    "in a corner": (np.array([1.2, -1.0]), np.array([2.0, 1.0])),
    "inactive": (-5.0, 5.0),
}


@pytest.mark.sampled(2)
@pytest.mark.x64
@pytest.mark.parametrize("bounds", BOXES.values(), ids=BOXES)
def test_within_bounds_it_finds_the_minimum_that_scipy_finds(bounds):
    lower, upper = (
        np.broadcast_to(np.inf * s if b is None else b, 2)
        for s, b in zip((-1, 1), bounds, strict=True)
    )
    run = minimize(rosenbrock, jnp.array(START), gdlab.lbfgs(), 200, tol=1e-8, bounds=bounds)
    expected = scipy.optimize.minimize(
        lambda w: tuple(map(np.asarray, value_and_grad(w))),
        START, jac=True, method="L-BFGS-B", bounds=np.stack([lower, upper], 1),
        options={"gtol": 1e-10, "ftol": 0},
    )  # fmt: skip
    assert run.outcome == Outcome.CONVERGED
    np.testing.assert_allclose(run.params, expected.x, atol=1e-7)
    path = np.asarray(run.path)
    assert ((lower <= path) & (path <= upper)).all()
    np.testing.assert_allclose(run.values, [rosenbrock(w) for w in run.path], atol=1e-13)


@pytest.mark.x64
def test_gradient_descent_within_bounds_is_projected_gradient_descent():
    curvature, shift = np.array([1.0, 4.0]), np.array([3.0, 1.0])
    loss = lambda w: 0.5 * jnp.sum(curvature * (w - shift) ** 2)  # noqa: E731
    run = minimize(loss, jnp.array([5.0, -5.0]), gdlab.sgd(0.2), 6, bounds=(-1.0, 2.0))
    w = np.array([2.0, -1.0])
    for point in run.path:
        np.testing.assert_allclose(point, w, rtol=1e-14)
        w = np.clip(w - 0.2 * curvature * (w - shift), -1, 2)


@pytest.mark.x64
def test_bounds_may_differ_from_leaf_to_leaf():
    params = {"a": jnp.zeros(2), "b": jnp.zeros(())}
    loss = lambda p: jnp.sum((p["a"] - 3) ** 2) + (p["b"] + 3) ** 2  # noqa: E731
    bounds = ({"a": None, "b": -1.0}, {"a": np.array([1.0, 5.0]), "b": None})
    run = minimize(loss, params, gdlab.lbfgs(), 50, tol=1e-10, bounds=bounds)
    np.testing.assert_allclose(run.params["a"], [1.0, 3.0], rtol=1e-8)
    np.testing.assert_allclose(run.params["b"], -1.0)


def test_bounds_that_do_not_fit_are_refused():
    solve = lambda x0, bounds: minimize(  # noqa: E731
        lambda w: jnp.sum(jnp.abs(w) ** 2), x0, gdlab.sgd(0.1), 2, bounds=bounds
    )
    with pytest.raises(TypeError, match=r"bounds must be a tuple of 2 values or None"):
        solve(jnp.ones(2), 0.0)
    with pytest.raises(ValueError, match=r"upper bound has the shape \(3,\)"):
        solve(jnp.ones(2), (0.0, jnp.ones(3)))
    with pytest.raises(TypeError, match="'x0' is complex"):
        solve(jnp.ones(2) * 1j, (0.0, 1.0))


def test_complex_parameters_converge():
    target = np.array([1 + 2j, -1j])
    loss = lambda z: jnp.sum(jnp.abs(z - target) ** 4) + jnp.sum(jnp.abs(z - target) ** 2)  # noqa: E731
    run = minimize(loss, jnp.zeros(2, jnp.complex64), gdlab.lbfgs(), 60, tol=1e-4)
    assert run.outcome == Outcome.CONVERGED
    np.testing.assert_allclose(run.params, target, atol=1e-4)

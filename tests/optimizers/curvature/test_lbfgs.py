"""L-BFGS: its identities, optax's path, and SciPy's economy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import Outcome, chain, minimize, scale, scale_by_lbfgs, scale_by_zoom_linesearch
from tests.optimizers.curvature.classics import losses, of_scipy, rosenbrock_residuals, squares

pytestmark = pytest.mark.x64

rosenbrock = squares(rosenbrock_residuals)
EXACT = scale_by_zoom_linesearch(40, curv_rtol=1e-13, approx_dec_rtol=None)
"""Exact along a ray of a quadratic, but for rounding."""
RANDOM = np.random.default_rng(3)
HALF = RANDOM.normal(size=(6, 6))
HESSIAN = HALF @ HALF.T + np.eye(6)
SHIFT = RANDOM.normal(size=6)


def quadratic(w):
    return 0.5 * jnp.vdot(w, HESSIAN @ w) - jnp.vdot(SHIFT, w)


def test_from_the_identity_with_exact_searches_on_a_quadratic_it_is_conjugate_gradients():
    direction = scale_by_lbfgs(6, scale_init_precond=False)
    run = minimize(quadratic, jnp.zeros(6), chain(direction, scale(-1.0), EXACT), 6)
    w, r = np.zeros(6), SHIFT.copy()
    p = r
    for point in np.asarray(run.path):
        np.testing.assert_allclose(point, w, rtol=1e-6, atol=1e-9)
        step = r @ r / (p @ HESSIAN @ p)
        w, after = w + step * p, r - step * HESSIAN @ p
        p, r = after + (after @ after) / (r @ r) * p, after
    np.testing.assert_allclose(run.params, np.linalg.solve(HESSIAN, SHIFT), rtol=1e-7)


def test_with_all_pairs_in_memory_it_is_bfgs():
    steps, rate = 8, 0.05
    tx = gdlab.lbfgs(rate, 30, False, None)
    start = np.array([0.4, 0.3, 0.2])
    run = minimize(rosenbrock, jnp.asarray(start), tx, steps)
    grad = jax.jit(jax.grad(rosenbrock))
    w, h, g = start, np.eye(3), np.asarray(grad(start))
    for point in np.asarray(run.path):
        np.testing.assert_allclose(point, w, rtol=1e-9)
        new = w - rate * h @ g
        after = np.asarray(grad(new))
        s, y = new - w, after - g
        if s @ y > 1e-15 * y @ y:
            v = np.eye(3) - np.outer(y, s) / (y @ s)
            h = v.T @ h @ v + np.outer(s, s) / (y @ s)
        w, g = new, after


def test_along_the_valley_it_goes_as_optax_does_with_the_same_search():
    start = jnp.asarray(np.tile([-1.2, 1.0], 12))
    search = optax.scale_by_zoom_linesearch(20, initial_guess_strategy="one")
    with jax.numpy_dtype_promotion("standard"):  # optax adds integers of two kinds
        ours = minimize(rosenbrock, start, gdlab.lbfgs(linesearch=search), 20)
        theirs = minimize(rosenbrock, start, optax.lbfgs(linesearch=search), 20)
    np.testing.assert_allclose(ours.path, theirs.path, rtol=1e-8)


def test_the_first_step_has_at_most_the_length_one():
    for start, length in ((jnp.array([3.0, 4.0]), 1.0), (jnp.array([0.3, 0.4]), 0.5)):
        tx = scale_by_lbfgs()
        direction, _ = tx.update(start, tx.init(start), start)
        np.testing.assert_allclose(direction, length * start / jnp.linalg.norm(start), rtol=1e-14)


def with_pairs(gradients, points):
    tx = scale_by_lbfgs(3)
    state = tx.init(points[0])
    for point, gradient in zip(points, gradients, strict=True):
        direction, state = tx.update(gradient, state, point)
    return direction, state


def test_a_pair_of_negative_curvature_is_left_out():
    a, b, c = jnp.array([1.0, 0.0]), jnp.array([0.0, 0.0]), jnp.array([0.5, 0.5])
    before, state = with_pairs([2 * a, 2 * b + 1], [a, b])
    assert state.weights_memory[0] > 0
    direction, after = with_pairs([2 * a, 2 * b + 1, jnp.array([0.0, 0.0])], [a, b, c])
    for name in ("diff_params_memory", "diff_updates_memory", "weights_memory"):
        np.testing.assert_array_equal(after[name], state[name])
    assert jnp.vdot(before, 2 * b + 1) > 0
    np.testing.assert_array_equal(direction, 0)


def test_where_the_parameters_did_not_move_it_begins_again_with_the_gradient():
    a, b = jnp.array([1.0, 0.0]), jnp.array([0.0, 0.0])
    gradient = jnp.array([3.0, 4.0])
    direction, state = with_pairs([2 * a, gradient, gradient], [a, b, b])
    np.testing.assert_array_equal(state.weights_memory, 0)
    np.testing.assert_allclose(direction, gradient / 5, rtol=1e-14)


@pytest.mark.slow
def test_a_rotation_of_the_parameters_rotates_the_path():
    q, _ = np.linalg.qr(RANDOM.normal(size=(6, 6)))
    start = RANDOM.normal(size=6)
    run = minimize(quadratic, jnp.asarray(start), gdlab.lbfgs(), 8)
    turned = minimize(lambda w: quadratic(q.T @ w), jnp.asarray(q @ start), gdlab.lbfgs(), 8)
    np.testing.assert_allclose(turned.path, np.asarray(run.path) @ q.T, rtol=1e-6, atol=1e-8)


def test_a_memory_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"memory_size must be a whole number between 1 .*, not 0"):
        gdlab.lbfgs(memory_size=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", losses())
def test_it_evaluates_the_loss_at_most_a_fifth_more_often_than_scipy(name):
    loss, start = losses()[name]
    run = minimize(loss, jnp.asarray(start), gdlab.lbfgs(), 500, tol=1e-6, keep_path=False)
    theirs = of_scipy(loss, start, "L-BFGS-B", 1e-6, ftol=0, maxcor=10)
    assert run.outcome == Outcome.CONVERGED
    assert int(run.evaluations) <= 1.2 * theirs

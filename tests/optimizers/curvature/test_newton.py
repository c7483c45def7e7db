"""Newton's method by conjugate gradients, in trust regions, and for least squares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import gdlab
from gdlab import Outcome, half_squares, minimize
from tests.optimizers.curvature.classics import (
    RESIDUALS,
    losses,
    of_scipy,
    rosenbrock_residuals,
    squares,
)

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(6)
HALF = RANDOM.normal(size=(5, 5))
HESSIAN = HALF @ HALF.T + np.eye(5)
SHIFT = RANDOM.normal(size=5)
rosenbrock = squares(rosenbrock_residuals)


def quadratic(w):
    return 0.5 * jnp.vdot(w, HESSIAN @ w) - jnp.vdot(SHIFT, w)


# --- Newton-CG

SOLVED = np.linalg.solve(HESSIAN, SHIFT)


def test_solved_to_the_end_it_is_newtons_step():
    tx = gdlab.newton_cg(forcing=1e-10)
    run = minimize(quadratic, jnp.zeros(5), tx, 1)
    np.testing.assert_allclose(run.params, SOLVED, rtol=1e-8)


@pytest.mark.slow
def test_its_steps_are_as_exact_as_they_promise():
    direction = gdlab.scale_by_truncated_newton(forcing=0.1)
    w = jnp.array([-1.2, 1.0, 0.5])
    grad_fn = jax.jit(jax.grad(rosenbrock))
    gradient = grad_fn(w)
    d, _ = direction.update(gradient, direction.init(w), w, grad_fn=grad_fn)
    left = jax.jit(jax.hessian(rosenbrock))(w) @ d - gradient
    assert jnp.linalg.norm(left) <= 0.1 * jnp.linalg.norm(gradient)


@pytest.mark.slow
def test_along_negative_curvature_it_goes_down_the_gradient():
    loss = lambda w: -0.5 * (2 * w[0] ** 2 + w[1] ** 2)  # noqa: E731
    tx, w = gdlab.scale_by_truncated_newton(), jnp.array([1.0, 1.0])
    gradient = jax.grad(loss)(w)
    d, state = tx.update(gradient, tx.init(w), w, grad_fn=jax.grad(loss))
    # ‖g‖² = 5 and ⟨g, Hg⟩ = −9 with g = −(2, 1).
    np.testing.assert_allclose(d, 5 / 9 * gradient, rtol=1e-14)
    assert state.products == 1


@pytest.mark.slow
def test_it_converges_superlinearly():
    loss = lambda w: jnp.sum(jnp.cosh(w)) + 0.5 * (w[0] - w[1]) ** 2  # noqa: E731
    run = minimize(loss, jnp.array([0.5, -1.0]), gdlab.newton_cg(), 20, tol=1e-13)
    sizes = np.linalg.norm(np.asarray(run.path), axis=1)[: int(run.steps) + 1]
    assert run.outcome == Outcome.CONVERGED
    ratios = sizes[1:] / sizes[:-1]
    assert ratios[-1] < 1e-2 * ratios[0]


@pytest.mark.parametrize("name", losses())
@pytest.mark.parametrize(
    ("tx", "method"),
    [(gdlab.newton_cg(), "Newton-CG"), (gdlab.trust_region(), "trust-ncg")],
    ids=["newton_cg", "trust_region"],
)
@pytest.mark.slow
def test_it_evaluates_the_loss_at_most_a_fifth_more_often_than_scipy(tx, method, name):
    loss, start = losses()[name]
    run = minimize(loss, jnp.asarray(start), tx, 3000, tol=1e-6, keep_path=False)
    theirs = of_scipy(loss, start, method, 1e-6)
    assert run.outcome == Outcome.CONVERGED
    assert int(run.evaluations) <= 1.2 * theirs


# --- Trust region


def test_trust_region_steps_are_those_of_scipy():
    start = np.array([-1.2, 1.0])
    path = [start]
    scipy.optimize.minimize(
        rosenbrock, start, jac=jax.jit(jax.grad(rosenbrock)), hess=jax.jit(jax.hessian(rosenbrock)),
        method="trust-ncg", callback=lambda w: path.append(w.copy()), options={"maxiter": 15},
    )  # fmt: skip
    run = minimize(rosenbrock, jnp.asarray(start), gdlab.trust_region(), 15)
    np.testing.assert_allclose(run.path, path, rtol=1e-6)


def test_within_the_region_the_step_is_newtons_and_else_it_ends_at_the_edge():
    for radius in (100.0, 0.01):
        tx = gdlab.trust_region(initial_radius=radius, max_products=200)
        run = minimize(quadratic, jnp.zeros(5), tx, 1)
        length = np.linalg.norm(run.params)
        np.testing.assert_allclose(length, min(radius, length), rtol=1e-10)
        if radius == 0.01:
            np.testing.assert_allclose(length, 0.01, rtol=1e-12)
            assert run.state.radius == 0.02


def test_from_a_saddle_point_it_follows_negative_curvature():
    saddle = lambda w: w[0] ** 2 - w[1] ** 2 + w[1] ** 4  # noqa: E731
    run = minimize(saddle, jnp.array([1.0, 1e-6]), gdlab.trust_region(), 60, tol=1e-8)
    assert run.outcome == Outcome.CONVERGED
    np.testing.assert_allclose(run.params, [0, 0.5**0.5], atol=1e-6)


def test_a_step_that_does_not_decrease_the_loss_is_not_taken():
    loss = lambda w: jnp.abs(w) ** 1.5 + 1e-3 * w**2  # its model promises too much  # noqa: E731
    run = minimize(loss, jnp.array(1.0), gdlab.trust_region(initial_radius=50.0), 12)
    assert (np.diff(run.values) <= 0).all()
    wrong = jax.custom_vjp(lambda w: jnp.sum(w**2))
    wrong.defvjp(lambda w: (jnp.sum(w**2), w), lambda w, g: (-2 * g * w,))
    run = minimize(wrong, jnp.ones(2), gdlab.trust_region(), 100, tol=1e-8)
    assert run.outcome == Outcome.STALLED
    np.testing.assert_array_equal(run.params, 1.0)


# --- Least squares

MATRIX, TARGET = RANDOM.normal(size=(9, 4)), RANDOM.normal(size=9)


def linear(w):
    return MATRIX @ w - TARGET


def test_gauss_newton_and_newton_solve_linear_least_squares_in_one_step():
    expected = np.linalg.lstsq(MATRIX, TARGET)[0]
    for tx in (gdlab.gauss_newton(linear), gdlab.newton_cg(forcing=1e-14)):
        run = minimize(half_squares(linear), jnp.zeros(4), tx, 1)
        np.testing.assert_allclose(run.params, expected, rtol=1e-8)
    run = minimize(half_squares(linear), jnp.zeros(4), gdlab.levenberg_marquardt(linear), 1)
    np.testing.assert_allclose(run.params, expected, rtol=1e-10)


def test_without_full_rank_gauss_newton_takes_the_shortest_step():
    twice = lambda w: jnp.concatenate([linear(w), linear(w)])[:3]  # noqa: E731
    run = minimize(half_squares(twice), jnp.zeros(4), gdlab.gauss_newton(twice), 1)
    np.testing.assert_allclose(run.params, np.linalg.pinv(MATRIX[:3]) @ TARGET[:3], rtol=1e-9)


def test_the_damped_step_has_the_length_of_the_region_and_solves_its_equation():
    w = jnp.array([-1.2, 1.0, 0.3])
    j, r = map(np.asarray, (jax.jacobian(rosenbrock_residuals)(w), rosenbrock_residuals(w)))
    d = np.linalg.norm(j, axis=0)
    tx = gdlab.levenberg_marquardt(rosenbrock_residuals, initial_radius=0.01)
    run = minimize(half_squares(rosenbrock_residuals), w, tx, 1)
    assert run.state.searched.evaluations == 1
    p = np.asarray(run.params - w)
    np.testing.assert_allclose(
        np.linalg.norm(d * p), 0.01 * np.linalg.norm(d * np.asarray(w)), rtol=1e-8
    )
    multiple = -(j.T @ (r + j @ p)) / (d**2 * p)
    np.testing.assert_allclose(multiple, multiple[0], rtol=1e-6)
    assert multiple[0] > 0


@pytest.mark.slow
def test_levenberg_marquardt_does_not_depend_on_units_nor_on_a_factor_of_the_loss():
    units, start = jnp.array([1e3, 1e-2]), jnp.array([-1.2, 1.0])
    plain, tx = half_squares(rosenbrock_residuals), gdlab.levenberg_marquardt
    run = minimize(plain, start, tx(rosenbrock_residuals), 10)
    other = lambda w: rosenbrock_residuals(w / units)  # noqa: E731
    scaled = minimize(half_squares(other), start * units, tx(other), 10)
    np.testing.assert_allclose(scaled.path / units[None], run.path, rtol=1e-6)
    tenfold = minimize(lambda w: 10 * plain(w), start, tx(rosenbrock_residuals), 10)
    np.testing.assert_allclose(tenfold.path, run.path, rtol=1e-8)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", RESIDUALS)
def test_levenberg_marquardt_evaluates_at_most_a_fifth_more_often_than_minpack(name):
    residuals, start = RESIDUALS[name]
    tx = gdlab.levenberg_marquardt(residuals)
    run = minimize(half_squares(residuals), jnp.asarray(start), tx, 500, tol=1e-6, keep_path=False)
    jitted, jacobian = jax.jit(residuals), jax.jit(jax.jacobian(residuals))
    theirs = scipy.optimize.least_squares(
        lambda w: np.asarray(jitted(w)), start, lambda w: np.asarray(jacobian(w)),
        method="lm", ftol=1e-14, xtol=1e-14, gtol=1e-9, max_nfev=5000,
    )  # fmt: skip
    assert run.outcome == Outcome.CONVERGED
    np.testing.assert_allclose(run.values[-1], theirs.cost, atol=1e-8)
    assert int(run.evaluations) <= 1.2 * theirs.nfev


def test_residuals_of_complex_parameters_are_refused():
    tx = gdlab.levenberg_marquardt(lambda z: z - 1)
    with pytest.raises(TypeError, match="real residuals of real parameters"):
        minimize(lambda z: jnp.sum(jnp.abs(z - 1) ** 2), jnp.full(2, 1j), tx, 2)

"""Nonlinear conjugate gradients: linear ones on a quadratic, and SciPy's economy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Outcome, chain, conjugate_direction, minimize, nonlinear_cg, scale
from tests.optimizers.curvature.classics import losses, of_scipy

pytestmark = pytest.mark.x64

BETAS = ("FR", "PR+", "HS", "DY")
EXACT = gdlab.scale_by_zoom_linesearch(40, curv_rtol=1e-13, approx_dec_rtol=None)
RANDOM = np.random.default_rng(5)
BASIS, _ = np.linalg.qr(RANDOM.normal(size=(7, 7)))
THREE = BASIS @ np.diag([1.0, 1.0, 1.0, 4.0, 4.0, 9.0, 9.0]) @ BASIS.T
SHIFT = RANDOM.normal(size=7)


def quadratic(w):
    return 0.5 * jnp.vdot(w, THREE @ w) - jnp.vdot(SHIFT, w)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("beta", BETAS)
def test_a_quadratic_of_three_curvatures_is_solved_in_three_steps(beta):
    tx = chain(conjugate_direction(beta), scale(-1.0), EXACT)
    run = minimize(quadratic, jnp.zeros(7), tx, 3)
    np.testing.assert_allclose(run.params, np.linalg.solve(THREE, SHIFT), atol=1e-8)
    steps = np.diff(run.path, axis=0)
    conjugate = steps @ THREE @ steps.T
    assert np.abs(conjugate - np.diag(np.diag(conjugate))).max() < 1e-8


@pytest.mark.parametrize("beta", BETAS)
def test_after_a_gradient_at_right_angles_and_of_the_same_length_the_direction_is_their_sum(beta):
    tx = conjugate_direction(beta)
    _, state = tx.update(jnp.array([1.0, 0.0]), tx.init(jnp.zeros(2)))
    # ‖g‖² = ⟨g, y⟩ = ⟨−d, y⟩ = 1, so every β is 1.
    direction, _ = tx.update(jnp.array([0.0, 1.0]), state)
    np.testing.assert_array_equal(direction, [1.0, 1.0])


@pytest.mark.parametrize("beta", ["HS", "DY"])
def test_of_a_gradient_that_does_not_change_the_direction_is_the_gradient(beta):
    tx = conjugate_direction(beta)
    state = tx.init(jnp.zeros(2))
    for _ in range(3):
        direction, state = tx.update(jnp.array([2.0, -1.0]), state)
        np.testing.assert_array_equal(direction, [2.0, -1.0])


def test_where_the_direction_would_lead_up_it_starts_again_with_the_gradient():
    tx = conjugate_direction("FR")
    state = tx.init(jnp.zeros(2))
    _, state = tx.update(jnp.array([1.0, 0.0]), state)
    gradient = jnp.array([-1.0, 0.1])  # FR adds 1.01·(1, 0), which points up by more than it has
    direction, _ = tx.update(gradient, state)
    np.testing.assert_array_equal(direction, gradient)


def test_the_cut_off_of_polak_and_ribiere_forgets_the_direction():
    tx = conjugate_direction("PR+")
    state = tx.init(jnp.zeros(2))
    for gradient in ([2.0, 0.0], [1.0, 0.0]):  # ⟨g, y⟩ = −1
        direction, state = tx.update(jnp.array(gradient), state)
    np.testing.assert_array_equal(direction, [1.0, 0.0])


def test_an_unknown_formula_is_refused():
    with pytest.raises(ValueError, match=r"beta must be 'FR', 'PR\+', 'HS' or 'DY', not 'PR'"):
        nonlinear_cg("PR")


@pytest.mark.slow
@pytest.mark.parametrize("name", losses())
def test_it_evaluates_the_loss_at_most_a_fifth_more_often_than_scipy(name):
    # A rounding decides about many trials of so long a run, so several starts are added up.
    loss, start = losses()[name]
    starts = [start + 0.01 * shift for shift in range(4)]
    solve = lambda w: minimize(loss, w, nonlinear_cg(), 2000, tol=1e-6, keep_path=False)  # noqa: E731
    run = jax.vmap(solve)(jnp.stack(list(map(jnp.asarray, starts))))
    theirs = sum(of_scipy(loss, w, "CG", 1e-6) for w in starts)
    assert (np.asarray(run.outcome) == Outcome.CONVERGED).all()
    assert int(run.evaluations.sum()) <= 1.2 * theirs

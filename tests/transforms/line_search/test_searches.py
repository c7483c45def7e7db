"""Line searches: their conditions hold at what they accept, and they find what they should."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import chain, minimize, scale_by_backtracking_linesearch, sgd
from gdlab.transforms.line_search.bracket import minimum_of_cubic
from gdlab.transforms.line_search.ray import Point

pytestmark = pytest.mark.x64


def rosenbrock(w):
    return jnp.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)


def himmelblau(w):
    return (w[0] ** 2 + w[1] - 11) ** 2 + (w[0] + w[1] ** 2 - 7) ** 2


ONE = jnp.array(1.0)


def search(tx, loss, start, direction=None):
    """The updates of one search along ``direction``, downhill unless given, and the state."""
    value, grad = jax.value_and_grad(loss)(start)
    direction = -grad if direction is None else direction
    state = tx.init(start)
    return tx.update(direction, state, start, value=value, grad=grad, value_fn=loss)


# --- Zoom

CURVATURES = [0.9, 0.4, 0.05]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("loss", [rosenbrock, himmelblau])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_strong_wolfe_conditions_hold_whatever_the_length_of_the_direction(loss, size):
    rng = np.random.default_rng(0)
    tx = gdlab.scale_by_zoom_linesearch(60, approx_dec_rtol=None, curv_rtol=0.1)

    @jax.jit
    def along(start):
        value, grad = jax.value_and_grad(loss)(start)
        updates, state = search(tx, loss, start, -size * grad)
        new, slope = jax.value_and_grad(loss)(start + updates)
        eta = state.learning_rate
        return value, new, jnp.vdot(grad, updates) / eta, jnp.vdot(slope, updates) / eta, eta

    for start in rng.normal(size=(20, 2)) * 3:
        value, new, before, after, eta = along(jnp.asarray(start))
        assert new <= value + 1e-4 * eta * before
        assert abs(after) <= 0.1 * abs(before)


def test_what_it_keeps_is_value_and_gradient_where_it_ends():
    start = jnp.array([-1.2, 1.0])
    for tx in (gdlab.scale_by_zoom_linesearch(20), scale_by_backtracking_linesearch(40)):
        updates, state = search(tx, rosenbrock, start)
        value, grad = jax.value_and_grad(rosenbrock)(start + updates)
        np.testing.assert_allclose(state.searched.value, value, rtol=1e-13)
        np.testing.assert_allclose(state.searched.grad, grad, rtol=1e-12)


def test_the_minimum_along_the_ray_of_a_quadratic_is_found_by_the_second_trial():
    curvature = np.array([1.0, 4.0, 9.0])
    loss = lambda w: 0.5 * jnp.sum(curvature * w**2)  # noqa: E731
    start = jnp.array([1.0, -2.0, 0.5])
    tx = gdlab.scale_by_zoom_linesearch(20, curv_rtol=1e-12)
    updates, state = search(tx, loss, start)
    grad = curvature * start
    exact = grad @ grad / (grad @ (curvature * grad))
    np.testing.assert_allclose(updates, -exact * grad, rtol=1e-12)
    assert state.searched.evaluations == 2


def test_the_cubic_through_two_points_has_its_minimum_where_it_is():
    # (x − 2)²(x + 1) has its minimum at 2.
    value, slope = lambda x: (x - 2) ** 2 * (x + 1), lambda x: 3 * (x - 2) * x
    points = [Point(*(jnp.array(y) for y in (x, value(x), slope(x)))) for x in (0.5, 3.0)]
    np.testing.assert_allclose(minimum_of_cubic(*points), 2, rtol=1e-14)
    np.testing.assert_allclose(minimum_of_cubic(*points[::-1]), 2, rtol=1e-14)
    line = [Point(ONE * x, ONE * x, ONE) for x in (0.0, 1.0)]
    assert np.isinf(minimum_of_cubic(*line))


@pytest.mark.parametrize(
    "tx", [gdlab.scale_by_zoom_linesearch(40), scale_by_backtracking_linesearch(60)]
)
def test_where_the_loss_is_not_finite_it_steps_back(tx):
    loss = lambda w: w - jnp.log(w)  # not a number left of 0  # noqa: E731
    updates, state = search(tx, loss, jnp.array(5.0), jnp.array(-100.0))
    assert loss(5 + updates) < loss(jnp.array(5.0))
    assert np.isfinite(state.searched.value)
    assert np.isfinite(state.searched.grad)


@pytest.mark.parametrize(
    ("slope_rtol", "tol", "size"), [(0.1, 0.0, 1.0), (0.4, 0.0, 1 / 1.6), (0.4, 0.6, 1.0)]
)
def test_a_first_step_is_taken_only_if_the_loss_decreases_by_the_share_asked_for(
    slope_rtol, tol, size
):
    # φ(η) = 0.8·(1 − 1.6η)² falls by 0.512 at η = 1, where φ′(0)·η is −2.56. A fifth of it is
    # decrease enough for a tenth, and for two fifths with a tolerance of more than 0.512; else the
    # minimum of the cubic, η = 1/1.6, is tried next.
    tx = gdlab.scale_by_zoom_linesearch(
        20, tol=tol, slope_rtol=slope_rtol, approx_dec_rtol=None, initial_guess_strategy="one"
    )
    _, state = search(tx, lambda w: 0.8 * jnp.sum(w**2), jnp.ones(1))
    np.testing.assert_allclose(state.learning_rate, size, rtol=1e-12)


@pytest.mark.parametrize(
    "tx", [gdlab.scale_by_zoom_linesearch(20), scale_by_backtracking_linesearch(20)]
)
def test_along_a_direction_that_does_not_lead_down_nothing_is_tried(tx):
    start = jnp.array([-1.2, 1.0])
    for direction in (jax.grad(rosenbrock)(start), jnp.zeros(2), jnp.full(2, jnp.nan)):
        updates, state = search(tx, rosenbrock, start, direction)
        np.testing.assert_array_equal(updates, 0)
        assert state.searched.evaluations == 0
        np.testing.assert_allclose(state.searched.value, rosenbrock(start))
        assert state.searched.failures == 1


def test_a_bound_on_the_step_is_kept_and_reached():
    tx = gdlab.scale_by_zoom_linesearch(20, max_learning_rate=3.0)
    _, state = search(tx, lambda w: 1e-4 * jnp.sum(w**2), jnp.ones(2))
    np.testing.assert_allclose(state.learning_rate, 3.0)


def test_guesses_of_the_first_step():
    loss = lambda w: 0.5 * jnp.sum(w**2)  # noqa: E731
    half = chain(sgd(1.0), gdlab.scale_by_zoom_linesearch(20, initial_guess_strategy="keep"))
    run = minimize(lambda w: 2 * loss(w), jnp.array([3.0]), half, 1)
    np.testing.assert_allclose(run.state.learning_rate, 0.5, rtol=1e-12)  # found from 1
    # The step of the length 1 is the first one without a step before, and is accepted here.
    interpolated = gdlab.scale_by_zoom_linesearch(20, initial_guess_strategy="length_one")
    run = minimize(loss, jnp.array([3.0, 4.0]), chain(sgd(1.0), interpolated), 2)
    first, second = run.path[0] - run.path[1], run.path[1] - run.path[2]
    np.testing.assert_allclose(np.linalg.norm(first), 1, rtol=1e-12)
    decrease = loss(run.path[0]) - loss(run.path[1])
    expected = min(1, 2.02 * decrease / jnp.sum(run.path[1] ** 2))
    np.testing.assert_allclose(second, expected * run.path[1], rtol=1e-10)
    with pytest.raises(
        ValueError,
        match="initial_guess_strategy must be 'keep', 'one',",
    ):
        gdlab.scale_by_zoom_linesearch(20, initial_guess_strategy="two")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("curv_rtol", CURVATURES)
def test_gradient_descent_with_it_goes_where_optaxs_goes(curv_rtol):
    loss = lambda w: jnp.sum(jnp.cosh(w)) + 0.5 * w[0] * w[1]  # noqa: E731
    start = jnp.array([1.0, -2.0])
    ours = chain(sgd(1.0), gdlab.scale_by_zoom_linesearch(40, curv_rtol=curv_rtol))
    theirs = optax.chain(optax.sgd(1.0), optax.scale_by_zoom_linesearch(40, curv_rtol=curv_rtol))
    ends = [minimize(loss, start, tx, 40).params for tx in (ours, theirs)]
    np.testing.assert_allclose(*ends, atol=1e-6)


# --- Backtracking


def test_backtracking_goes_step_by_step_as_optax_does():
    start = jnp.array([-1.2, 1.0])
    ours = chain(sgd(1.0), scale_by_backtracking_linesearch(60))
    theirs = optax.chain(
        optax.sgd(1.0), optax.scale_by_backtracking_linesearch(60, store_grad=True)
    )
    paths = [minimize(rosenbrock, start, tx, 25).path for tx in (ours, theirs)]
    np.testing.assert_allclose(*paths, rtol=1e-9)


def test_backtracking_takes_the_first_size_that_decreases_the_loss_enough():
    sizes, loss, w = [], rosenbrock, np.array([-1.2, 1.0])
    tx = chain(sgd(1.0), scale_by_backtracking_linesearch(60, 0.3, 0.5, 4.0))
    run = minimize(loss, jnp.asarray(w), tx, 6)
    eta = 1.0
    for point in run.path:
        np.testing.assert_allclose(point, w, rtol=1e-10)
        value, grad = map(np.asarray, jax.value_and_grad(loss)(jnp.asarray(w)))
        eta = min(4.0 * eta, 1.0)
        while loss(w - eta * grad) > value - 0.3 * eta * grad @ grad:
            eta *= 0.5
        sizes.append(eta)
        w = w - eta * grad
    assert len(set(sizes)) > 1

"""Predictions laid over runs and sweeps of the same optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, adam, chain, minimize, params_ema, sgd, sweep
from gdlab.analysis import compare

HESSIAN = [[3.0, 1.0], [1.0, 2.0]]
MINIMISER = [1.0, -2.0]
START = [4.0, 3.0]


def quadratic(w):
    d = w - jnp.array(MINIMISER)
    return 0.5 * d @ jnp.array(HESSIAN) @ d + 7.0


def losses_by_hand(eta, beta, steps):
    """Heavy ball on the quadratic, in NumPy."""
    H, w, v = np.array(HESSIAN), np.array(START) - MINIMISER, np.zeros(2)
    losses = [0.5 * w @ H @ w]
    for _ in range(steps):
        v = beta * v + H @ w
        w = w - eta * v
        losses.append(0.5 * w @ H @ w)
    return np.array(losses)


@pytest.mark.x64
def test_a_run_without_noise_is_predicted_step_by_step_in_any_coordinates():
    tx = sgd(0.2, momentum=0.3)
    run = minimize(quadratic, jnp.array(START), tx, steps=25)
    found = compare(run, tx, HESSIAN, jnp.array(START), minimiser=jnp.array(MINIMISER), minimum=7.0)
    by_hand = losses_by_hand(0.2, 0.3, 25)
    np.testing.assert_allclose(found.predicted, by_hand, rtol=1e-12)
    # The loss of the run has 7 added and taken away.
    np.testing.assert_allclose(found.measured, by_hand, atol=30 * 7 * np.finfo(float).eps)
    assert not np.any(found.stochastic)
    top = np.linalg.eigvalsh(HESSIAN)[-1]
    assert found.stable_range == pytest.approx((0.0, 2 * 1.3 / top))


@pytest.mark.x64
def test_the_measured_rate_is_the_largest_factor_of_gradient_descent():
    tx, eigenvalues = sgd(0.2), np.linalg.eigvalsh(HESSIAN)
    run = minimize(quadratic, jnp.array(START), tx, steps=60)
    found = compare(run, tx, HESSIAN, jnp.array(START), minimiser=jnp.array(MINIMISER), minimum=7.0)
    largest = np.max(np.abs(1 - 0.2 * eigenvalues))
    assert found.predicted_rate == pytest.approx(largest, rel=1e-12)
    # Modes that die sooner are still there in the first part of the stretch.
    assert found.measured_rate == pytest.approx(largest, rel=1e-3)


@pytest.mark.x64
def test_the_run_of_an_averaging_method_is_judged_and_predicted_at_the_average():
    decay, steps = 0.8, 25
    tx = chain(sgd(0.2), params_ema(decay))
    H, w = np.array(HESSIAN), np.array(START) - MINIMISER
    # The average starts at the start itself, w̄₀ = w₀.
    average, by_hand = w, [0.5 * w @ H @ w]
    for _ in range(steps):
        w = w - 0.2 * H @ w
        average = decay * average + (1 - decay) * w
        by_hand.append(0.5 * average @ H @ average)
    run = minimize(quadratic, jnp.array(START), tx, steps=steps)
    at = {"minimiser": jnp.array(MINIMISER), "minimum": 7.0}
    found = compare(run, tx, HESSIAN, jnp.array(START), **at)
    np.testing.assert_allclose(found.predicted, by_hand, rtol=1e-12)
    np.testing.assert_allclose(found.measured, by_hand, atol=30 * 7 * np.finfo(float).eps)
    # The average forgets its past more slowly than gradient descent converges.
    assert found.predicted_rate == pytest.approx(found.measured_rate, rel=1e-3)
    assert found.predicted_rate == pytest.approx(decay, rel=0.01)
    with pytest.raises(ValueError, match="compare a run without noise"):
        compare(run, tx, HESSIAN, jnp.array(START), noise=0.1, **at)


@pytest.mark.x64
def test_the_loss_that_noise_leaves_is_that_of_many_runs():
    curvature, s, tx = np.array([1.0, 4.0]), 0.5, sgd(0.2, momentum=0.5)

    def noisy(w, key):
        return 0.5 * jnp.sum(curvature * w**2) + s * jax.random.normal(key, w.shape) @ w

    def run(key):
        return minimize(noisy, jnp.ones(2), tx, 40, key=key)

    runs = jax.vmap(run)(jax.random.split(jax.random.key(0), 4000))
    true = 0.5 * np.sum(curvature * np.asarray(runs.path) ** 2, axis=-1)
    first = jax.tree.map(lambda leaf: leaf[0], runs)
    found = compare(first, tx, curvature, jnp.ones(2), noise=s)
    error = np.std(true, axis=0) / np.sqrt(len(true))
    assert np.all(np.abs(np.mean(true, axis=0) - found.predicted)[1:] < 4 * error[1:])
    assert found.stochastic[-1] > 0.5 * found.predicted[-1]


def test_a_sweep_is_predicted_point_by_point_and_so_is_its_edge():
    rates = np.linspace(0.1, 1.2, 12)
    tx = sgd(Axis("learning_rate", rates), momentum=0.3)
    result = sweep(quadratic, jnp.array(START), tx, steps=15, progress=False)
    found = compare(
        result, tx, HESSIAN, jnp.array(START), minimiser=jnp.array(MINIMISER), minimum=7.0
    )
    by_hand = [losses_by_hand(float(np.float32(eta)), 0.3, 15)[-1] for eta in rates]
    # To the digits in which the axis is held.
    np.testing.assert_allclose(found.predicted, by_hand, rtol=1e-5)
    limit = 2 * 1.3 / np.linalg.eigvalsh(HESSIAN)[-1]
    assert found.predicted_range[1] == pytest.approx(limit)
    inside = found.values < limit
    np.testing.assert_allclose(
        found.measured[inside, 0], found.predicted[inside], rtol=1e-3, atol=1e-5
    )


def test_an_edge_that_was_measured_lies_at_the_predicted_one():
    tx = sgd(Axis("learning_rate", np.linspace(0.1, 1.2, 12)))
    result = sweep(quadratic, jnp.array(START), tx, steps=400, progress=False)
    found = compare(
        result, tx, HESSIAN, jnp.array(START), minimiser=jnp.array(MINIMISER), minimum=7.0
    )
    low, high = found.measured_edge.bracket
    assert low < found.predicted_range[1] < high


def test_pictures_draw_both_on_axes_that_are_given():
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, (left, right) = plt.subplots(1, 2)
    tx = sgd(0.2)
    run = minimize(quadratic, jnp.array(START), tx, steps=20)
    arguments = {"minimiser": jnp.array(MINIMISER), "minimum": 7.0}
    found = compare(run, tx, HESSIAN, jnp.array(START), **arguments)
    assert found.plot(left) is left
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels == [
        f"measured, rate {found.measured_rate:.3f}",
        f"predicted, rate {found.predicted_rate:.3f}",
    ]
    np.testing.assert_allclose(left.lines[1].get_ydata(), found.predicted)
    tx = sgd(Axis("learning_rate", [0.1, 0.3, 0.5, 0.7]))
    result = sweep(quadratic, jnp.array(START), tx, steps=20, progress=False)
    found = compare(result, tx, HESSIAN, jnp.array(START), **arguments)
    assert found.plot(right) is right
    assert right.patches[0].get_x() == pytest.approx(found.predicted_range[1])
    plt.close(figure)


def test_what_cannot_be_predicted_is_refused():
    w = jnp.ones(2)
    tx = adam(0.1)
    run = minimize(quadratic, w, tx, steps=3)
    with pytest.raises(ValueError, match="not linear"):
        compare(run, tx, HESSIAN, w)
    with pytest.raises(ValueError, match="positive curvature, but the lowest is -1"):
        compare(run, sgd(0.1), [1.0, -1.0], w)
    with pytest.raises(ValueError, match="start holds 3 numbers, but the curvature has 2"):
        compare(run, sgd(0.1), HESSIAN, jnp.ones(3))
    with pytest.raises(TypeError, match="must be a Trajectory or a SweepResult, not"):
        compare({}, sgd(0.1), HESSIAN, w)
    tx = sgd(Axis("learning_rate", [0.1, 0.2]), momentum=Axis("momentum", [0.0, 0.5]))
    result = sweep(quadratic, w, tx, steps=3, progress=False)
    with pytest.raises(ValueError, match="one axis, but the sweep has"):
        compare(result, tx, HESSIAN, w)
    other = sgd(Axis("learning_rate", [0.1, 0.3]))
    tx = sgd(Axis("learning_rate", [0.1, 0.2]))
    result = sweep(quadratic, w, tx, steps=3, progress=False)
    with pytest.raises(ValueError, match="the sweep was run with"):
        compare(result, other, HESSIAN, w)

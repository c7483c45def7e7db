"""On ½λw² every method with a frozen scale is linear, and its poles are known.

The paths are compared with powers of the characteristic polynomial, the limits of stability are
approached to one part in a hundred from either side, and noise is passed through.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import gdlab
from tests.paths import path_down, per_step
from tests.references import characteristic
from tests.references.characteristic import averaging, heavy_ball, nesterov

pytestmark = pytest.mark.x64

CURVATURE = 3.0
DECAYS = [0.0, 0.3, 0.5, 0.9, 0.99]


def gradient(w):
    return CURVATURE * w


# The characteristic polynomials and the x = ηλ below which a method is stable.


def gradient_descent(x, beta):
    return [*characteristic.gradient_descent(x, beta), 0]


LINEAR_METHODS = {
    "gradient descent": (
        lambda eta, beta: gdlab.sgd(eta),
        gradient_descent,
        lambda beta: 2,
    ),
    "heavy ball": (gdlab.sgd, heavy_ball, lambda beta: 2 * (1 + beta)),
    "averaging heavy ball": (
        partial(gdlab.sgd, averaging=True),
        averaging(heavy_ball),
        lambda beta: 2 * (1 + beta) / (1 - beta),
    ),
    "Nesterov, rewritten": (
        partial(gdlab.sgd, nesterov=True),
        nesterov,
        lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
    ),
    "Nesterov, looking ahead": (
        gdlab.nesterov,
        nesterov,
        lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
    ),
    "Nesterov on the average": (
        partial(gdlab.sgd, averaging=True, nesterov=True),
        averaging(nesterov),
        lambda beta: 2 * (1 + beta) / ((1 - beta) * (1 + 2 * beta)),
    ),
}


def paths_over(make, etas, betas, steps, grad_fn=gradient):
    """One path for each pair of a learning rate and a decay, from 1."""
    one = lambda eta, beta: path_down(make(eta, beta), grad_fn, jnp.ones(()), steps)  # noqa: E731
    return np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(etas), jnp.asarray(betas)))


def powers(polynomial, first, second, count):
    """The solution of the recurrence with these first two terms: powers of its companion matrix."""
    _, a, b = polynomial
    companion = np.array([[-a, -b], [1, 0]])
    start = np.array([second, first])
    return [np.linalg.matrix_power(companion, k) @ start for k in range(count)]


@pytest.mark.parametrize("name", LINEAR_METHODS)
def test_path_is_a_sum_of_powers_of_the_poles(name):
    make, polynomial, limit = LINEAR_METHODS[name]
    pairs = [(share * limit(beta), beta) for beta in DECAYS for share in (0.01, 0.3, 0.7, 1.01)]
    etas, betas = np.array(pairs).T
    for x, beta, path in zip(
        etas, betas, paths_over(make, etas / CURVATURE, betas, 40), strict=True
    ):
        # From the first step on, since the look-ahead form starts without a velocity.
        expected = [second for second, _ in powers(polynomial(x, beta), path[1], path[2], 39)]
        scale = np.abs(expected).max()
        # Near a double pole a rounding grows with the number of steps, and with their size.
        np.testing.assert_allclose(path[2:], expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("name", LINEAR_METHODS)
def test_method_converges_below_its_limit_and_diverges_above_it(name):
    make, _, limit = LINEAR_METHODS[name]
    below = [0.99 * limit(beta) / CURVATURE for beta in DECAYS]
    above = [1.01 * limit(beta) / CURVATURE for beta in DECAYS]
    # The slowest, √0.99 a step, takes 1500 steps to 5e-4; the slowest above grows by 2 % a step.
    last = np.abs(paths_over(make, below + above, DECAYS + DECAYS, 1500)[:, -1])
    assert (last[: len(DECAYS)] < 1e-2).all()
    assert (last[len(DECAYS) :] > 1e6).all()


@pytest.mark.parametrize(
    ("name", "limit"),
    [("averaging heavy ball", 38.0), ("Nesterov on the average", 13.571428571428571)],
)
def test_limits_of_averaging_forms_at_a_decay_of_nine_tenths(name, limit):
    np.testing.assert_allclose(LINEAR_METHODS[name][2](0.9), limit)


def poles(path):
    """The two poles of the recurrence that a path obeys."""
    coefficients = np.linalg.solve([path[[2, 1]], path[[3, 2]]], path[[3, 4]])
    return np.roots([1, *-coefficients])


def test_poles_of_the_heavy_ball_are_complex_and_of_size_root_beta_between_two_learning_rates():
    beta = 0.64
    between, beyond = (0.21**2, 1.79**2), (0.19**2, 1.81**2)  # (1 ∓ √β)² is 0.2² and 1.8²
    etas = np.array([*between, *beyond]) / CURVATURE
    slow, fast, *outside = paths_over(gdlab.sgd, etas, np.full(4, beta), 4)
    for path in (slow, fast):
        assert np.iscomplex(poles(path)).all()
        np.testing.assert_allclose(np.abs(poles(path)), np.sqrt(beta), rtol=1e-9)
    for path in outside:
        assert np.isreal(poles(path)).all()
        assert np.abs(poles(path)).max() > np.sqrt(beta) + 0.05


def test_heavy_ball_is_critically_damped_where_beta_is_the_square_of_one_minus_root_eta_lambda():
    eta = 0.09 / CURVATURE
    (path,) = paths_over(gdlab.sgd, [eta], [0.49], 4)
    # A rounding of 1e-16 moves a double pole by its root.
    np.testing.assert_allclose(poles(path), 0.7, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "rate"),
    [
        (lambda mu, L: gdlab.sgd(2 / (L + mu)), lambda kappa: (kappa - 1) / (kappa + 1)),
        (
            lambda mu, L: gdlab.sgd(
                (2 / (L**0.5 + mu**0.5)) ** 2,
                (((L / mu) ** 0.5 - 1) / ((L / mu) ** 0.5 + 1)) ** 2,
            ),
            lambda kappa: (kappa**0.5 - 1) / (kappa**0.5 + 1),
        ),
        (
            lambda mu, L: gdlab.sgd(
                1 / L, ((L / mu) ** 0.5 - 1) / ((L / mu) ** 0.5 + 1), nesterov=True
            ),
            lambda kappa: 1 - kappa**-0.5,
        ),
        (
            lambda mu, L: gdlab.nesterov(
                4 / (3 * L + mu),
                ((3 * L / mu + 1) ** 0.5 - 2) / ((3 * L / mu + 1) ** 0.5 + 2),
            ),
            lambda kappa: 1 - 2 / (3 * kappa + 1) ** 0.5,
        ),
    ],
    ids=["gradient descent", "Polyak", "Nesterov", "Nesterov, tuned"],
)
def test_tuned_method_shrinks_the_error_at_its_best_rate(make, rate):
    mu, L = 0.5, 50.0
    curvatures = jnp.array([mu, 7.0, L])
    path = path_down(make(mu, L), lambda w: curvatures * w, jnp.ones(3), 3000)
    size = np.abs(path).max(axis=1)
    # The largest of a hundred steps, since complex poles let the error swing through zero.
    early, late = size[900:1000].max(), size[2900:3000].max()
    measured = (late / early) ** (1 / 2000)
    # At a double pole the error is k·ρᵏ: ln 3/2000 = 5e-4 of it is the k.
    np.testing.assert_allclose(np.log(measured), np.log(rate(L / mu)), atol=6e-4)


# Adaptive methods whose second moment stands still: 400 steps of a constant gradient P with decay
# 0.5 make it P², then a decay of 1 keeps it, and from there on the gradient is λw.

WARMUP, FREE = 400, 1500
SCALE = 4.0


def descend_frozen(make, eta, steps=FREE):
    """The path after the second moment has been frozen at `SCALE`²."""
    warming = np.arange(WARMUP + steps) < WARMUP
    tx = make(per_step(np.where(warming, 0.0, eta)), per_step(np.where(warming, 0.5, 1.0)))

    def step(carry, warm):
        w, state = carry
        updates, state = tx.update(jnp.where(warm, SCALE, gradient(w)), state, w)
        return (w + updates, state), w

    start = jnp.ones(())
    path = jax.jit(lambda: lax.scan(step, (start, tx.init(start)), jnp.asarray(warming))[1])()
    return np.asarray(path)[WARMUP:]


FROZEN = {
    "rmsprop": (
        lambda eta, decay: gdlab.rmsprop(eta, decay, eps=0.0, bias_correction=True),
        gradient_descent,
        2.0,
    ),
    "adam": (lambda eta, decay: gdlab.adam(eta, 0.9, decay, 0.0), averaging(heavy_ball), 38.0),
    "nadam": (
        lambda eta, decay: gdlab.nadam(eta, 0.9, decay, 0.0),
        averaging(nesterov),
        3.8 / 0.28,
    ),
}


@pytest.mark.parametrize("name", FROZEN)
def test_adaptive_method_with_frozen_scale_is_its_linear_method_in_that_metric(name):
    make, polynomial, _ = FROZEN[name]
    eta = 1.7
    path = descend_frozen(make, eta, steps=30)
    x = eta * CURVATURE / SCALE
    expected = [second for second, _ in powers(polynomial(x, 0.9), path[1], path[2], 28)]
    np.testing.assert_allclose(path[2:], expected, rtol=0, atol=1e-12 * np.abs(path).max())


@pytest.mark.parametrize("name", FROZEN)
def test_adaptive_method_with_frozen_scale_has_an_edge_of_stability(name):
    make, _, limit = FROZEN[name]
    edge = limit * SCALE / CURVATURE
    assert abs(descend_frozen(make, 0.99 * edge)[-1]) < 1e-3
    assert abs(descend_frozen(make, 1.01 * edge)[-1]) > 1e6


# Laws on a constant gradient

GRADIENT = np.array([-7.0, 1e-3, 40.0])


def constant_gradient_steps(tx, steps=200):
    path = path_down(tx, lambda w: jnp.asarray(GRADIENT), jnp.zeros(3), steps)
    return np.diff(np.asarray(path), axis=0)


@pytest.mark.parametrize(
    "tx",
    [
        lambda eta: gdlab.adam(eta, eps=0.0),
        lambda eta: gdlab.amsgrad(eta, eps=0.0, maximum_of_corrected=True),
        lambda eta: gdlab.amsgrad(eta, eps=0.0),
        lambda eta: gdlab.adamax(eta, eps=0.0),
        lambda eta: gdlab.rmsprop(eta, eps=0.0, bias_correction=True),
    ],
    ids=["adam", "amsgrad of corrected", "amsgrad", "adamax", "rmsprop"],
)
def test_bias_corrected_method_steps_by_eta_on_a_constant_gradient(tx):
    steps = constant_gradient_steps(tx(0.03))
    np.testing.assert_allclose(steps, np.tile(-0.03 * np.sign(GRADIENT), (200, 1)), rtol=1e-10)


def test_steps_of_adagrad_on_a_constant_gradient_fall_as_one_over_root_t():
    steps = constant_gradient_steps(gdlab.adagrad(0.3, 0.0, 0.0))
    law = -0.3 / np.sqrt(np.arange(1, 201))[:, None] * np.sign(GRADIENT)
    np.testing.assert_allclose(steps, law, rtol=1e-10)


def test_steps_of_full_matrix_adagrad_on_a_constant_gradient_fall_as_one_over_root_t():
    steps = constant_gradient_steps(gdlab.full_matrix_adagrad(0.3, eps=0.0))
    law = -0.3 / np.sqrt(np.arange(1, 201))[:, None] * GRADIENT / np.linalg.norm(GRADIENT)
    # The smallest component carries the rounding of the largest, 4e4 times its size.
    np.testing.assert_allclose(steps, law, rtol=1e-9, atol=1e-13)


def test_first_step_of_uncorrected_rmsprop_is_long_and_the_later_ones_are_eta():
    steps = constant_gradient_steps(gdlab.rmsprop(0.03, decay=0.9, eps=0.0))
    t = np.arange(1, 201)[:, None]
    law = -0.03 / np.sqrt(1 - 0.9**t) * np.sign(GRADIENT)
    np.testing.assert_allclose(steps, law, rtol=1e-10)
    np.testing.assert_allclose(np.abs(steps[0]), 0.03 / np.sqrt(0.1), rtol=1e-12)


def test_momentum_on_a_constant_gradient_grows_to_one_over_one_minus_beta():
    steps = constant_gradient_steps(gdlab.sgd(0.01, 0.9))
    t = np.arange(1, 201)[:, None]
    np.testing.assert_allclose(steps, -0.01 * (1 - 0.9**t) / 0.1 * GRADIENT, rtol=1e-10)


def test_distance_from_a_saddle_grows_by_one_plus_eta_lambda_a_step():
    path = path_down(gdlab.sgd(0.1), lambda w: -CURVATURE * w, jnp.full((), 1e-3), 20)
    np.testing.assert_allclose(path, 1e-3 * 1.3 ** np.arange(21), rtol=1e-13)


# Noise: every coordinate is a run of its own, so that their spread estimates the variance.

LANES = 20_000
THREE_STANDARD_ERRORS = 3 * np.sqrt(2 / LANES)  # of the variance of as many normal samples


def stationary_variance(tx, noise, steps=300):
    keys = jax.random.split(jax.random.key(4), steps)

    def step(carry, key):
        w, state = carry
        g = gradient(w) + noise * jax.random.normal(key, w.shape)
        updates, state = tx.update(g, state, w)
        return (w + updates, state), None

    start = jnp.zeros(LANES)
    (w, _), _ = jax.jit(lambda: lax.scan(step, (start, tx.init(start)), keys))()
    return float(jnp.mean(w**2))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("eta", [0.05, 0.3, 0.6])
def test_noise_keeps_gradient_descent_at_its_stationary_variance(eta):
    law = eta * 4 / (CURVATURE * (2 - eta * CURVATURE))
    measured = stationary_variance(gdlab.sgd(eta), noise=2.0)
    np.testing.assert_allclose(measured, law, rtol=THREE_STANDARD_ERRORS)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("eta", "beta"), [(0.05, 0.5), (0.3, 0.9), (1.1, 0.9)])
def test_noise_keeps_the_heavy_ball_at_its_stationary_variance(eta, beta):
    law = eta * 4 * (1 + beta) / (CURVATURE * (1 - beta) * (2 * (1 + beta) - eta * CURVATURE))
    measured = stationary_variance(gdlab.sgd(eta, beta), noise=2.0)
    np.testing.assert_allclose(measured, law, rtol=THREE_STANDARD_ERRORS)


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_average_lets_one_minus_beta_over_one_plus_beta_of_the_noise_through(beta):
    tx = gdlab.ema(beta)
    keys = jax.random.split(jax.random.key(5), 200)

    def step(state, key):
        _, state = tx.update(jax.random.normal(key, (LANES,)), state)
        return state, None

    state, _ = jax.jit(lambda: lax.scan(step, tx.init(jnp.zeros(LANES)), keys))()
    measured = float(jnp.mean(state.ema**2))
    np.testing.assert_allclose(measured, (1 - beta) / (1 + beta), rtol=THREE_STANDARD_ERRORS)

"""The Gaussian process against scikit-learn, SciPy's integrals and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from gdlab.sweeps.proposals import gaussian_process
from gdlab.sweeps.proposals.gaussian_process import (
    EXPECTED_LENGTH,
    EXPECTED_NOISE,
    LEAST_NOISE,
    Observed,
    Scales,
    conditioned,
    cost,
    fitted,
    log_expected_improvement,
)
from gdlab.sweeps.proposals.search import best_batch

pytestmark = pytest.mark.x64

ANY = np.full((2, 4), np.inf)
"""The levels of two sides on which all values can be tried."""


def values_at(points):
    return np.sin(5 * points[:, 0]) + points[:, 1] ** 2


def observed(count=12, capacity=20):
    rng = np.random.default_rng(0)
    points = np.zeros((capacity, 2))
    points[:count] = rng.random((count, 2))
    values = np.zeros(capacity)
    values[:count] = values_at(points[:count])
    return Observed(*map(jnp.asarray, (points, values, np.arange(capacity) < count)))


def scales(first=0.3, second=0.8, size=1.5, noise=0.01):
    return Scales(*map(jnp.log, (jnp.array([first, second]), jnp.array(size), jnp.array(noise))))


def by_scikit_learn(data, lengths, size, noise):
    kernel = ConstantKernel(size) * Matern(lengths, nu=2.5) + WhiteKernel(noise + LEAST_NOISE)
    model = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0)
    return model.fit(data.points[data.counts], data.values[data.counts])


def test_mean_and_variance_are_scikit_learns_and_padding_does_not_matter():
    new = np.random.default_rng(1).random((30, 2))
    model = by_scikit_learn(observed(), [0.3, 0.8], 1.5, 0.01)
    expected, deviation = model.predict(new, return_std=True)
    predict = jax.jit(lambda scales, data, points: conditioned(scales, data)(points))
    mean, variance = predict(scales(), observed(), jnp.asarray(new))
    np.testing.assert_allclose(mean, expected, rtol=1e-8)
    # scikit-learn's deviation has the noise of a new observation in it.
    np.testing.assert_allclose(variance, deviation**2 - 0.01 - LEAST_NOISE, atol=1e-8)


def test_the_cost_is_scikit_learns_marginal_likelihood_where_the_priors_are_highest():
    data, lengths = observed(), np.full(2, EXPECTED_LENGTH * np.sqrt(2))
    model = by_scikit_learn(data, lengths, 1.0, EXPECTED_NOISE)
    expected = -model.log_marginal_likelihood_value_ - 12 * np.log(2 * np.pi) / 2
    at_priors = scales(*lengths, 1.0, EXPECTED_NOISE)
    np.testing.assert_allclose(jax.jit(cost)(at_priors, data), expected, rtol=1e-8)


def test_the_slope_of_the_cost_is_its_central_difference():
    data, at, costs = observed(), scales(), jax.jit(cost)
    slopes = jax.jit(jax.grad(gaussian_process._with_slope_of_cost))(at, data)
    for place in range(4):
        flat, unravel = ravel_pytree(at)
        move = 1e-5 * np.eye(4)[place]
        ahead, behind = (costs(unravel(flat + sign * move), data) for sign in (1, -1))
        found = ravel_pytree(slopes)[0][place]
        np.testing.assert_allclose(found, (ahead - behind) / 2e-5, rtol=1e-6)


@pytest.mark.slow
def test_fitted_scales_predict_a_smooth_function_and_tell_which_side_matters():
    data = observed(count=30, capacity=40)
    data = data._replace(values=jnp.where(data.counts, jnp.sin(6 * data.points[:, 0]), 0.0))
    posterior = fitted(data)
    new = np.random.default_rng(2).random((50, 2))
    mean, _ = posterior(jnp.asarray(new))
    np.testing.assert_allclose(mean, np.sin(6 * new[:, 0]), atol=0.03)
    first, second = posterior.scales.lengths
    assert second > first + 1


@pytest.mark.parametrize("z", [-30.0, -6.0, -3.5, -2.5, 0.0, 2.0])
def test_expected_improvement_is_the_integral_over_what_is_better(z):
    deviation, mean = 0.4, 0.7
    best = mean + z * deviation
    improvement = jax.jit(log_expected_improvement)
    found = float(improvement(jnp.array(mean), jnp.array(deviation**2), best))
    # ∫₀^∞ u φ(z − u) du, scaled by the density at z so that it does not vanish.
    integral, _ = quad(lambda u: u * np.exp(z * u - u**2 / 2), 0, np.inf)
    expected = np.log(deviation * integral) + norm.logpdf(z)
    assert found == pytest.approx(expected, abs=0.06 if z < -3 else 1e-9)


def test_a_batch_finds_the_minimum_and_keeps_its_points_apart():
    # The minimum of sin 5x + y² on the cube is −1, at (3π/10, 0).
    chosen = best_batch(observed(26, 32), jnp.asarray(ANY), jax.random.key(0), count=4)
    assert values_at(np.asarray(chosen))[0] < -0.95
    apart = np.max(np.abs(chosen[:, None] - chosen[None]), axis=-1) + np.eye(4)
    assert np.min(apart) > 1e-3


def test_only_levels_are_chosen_where_there_are_levels():
    levels = np.array([[0.0, 0.5, 0.9, 1.0], [np.inf] * 4])
    chosen = best_batch(observed(26, 32), jnp.asarray(levels), jax.random.key(0), count=4)
    assert set(np.asarray(chosen)[:, 0]) <= {0.0, 0.5, 0.9, 1.0}
    assert len(set(map(tuple, np.asarray(chosen)))) == 4

"""The spectral density against the eigenvalues themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import spectral_density
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")


def quadratic(w, curvature):
    return 0.5 * curvature @ w**2


def test_of_a_network_it_is_the_smoothed_histogram_of_numpys_eigenvalues():
    params, data = networks.parameters(), networks.examples()
    dense = networks.dense_hessian(params, data)
    found = spectral_density(networks.loss, params, data, key=jax.random.key(0), bandwidth=0.1)
    eigenvalues = np.linalg.eigvalsh(dense)
    z = (np.asarray(found.grid)[:, None] - eigenvalues) / 0.1
    expected = np.mean(np.exp(-(z**2) / 2), axis=1) / (0.1 * np.sqrt(2 * np.pi))
    difference = np.trapezoid(np.abs(found.density - expected), found.grid)
    assert difference < 0.04


@pytest.mark.parametrize(
    ("curvature", "bandwidth", "points"),
    [
        ([1.0, 2.0, 9.0], None, 512),
        ([3.0, 3.0, 3.0], None, 512),
        ([0.0, 0.0, 0.0], None, 512),
        ([1.0, 2.0, 9.0], 1e-3, 5),
    ],
)
def test_it_integrates_to_one(curvature, bandwidth, points):
    found = spectral_density(
        quadratic,
        jnp.ones(3),
        np.array(curvature),
        key=jax.random.key(0),
        probes=2,
        bandwidth=bandwidth,
        points=points,
    )
    np.testing.assert_allclose(np.sum(found.density) * (found.grid[1] - found.grid[0]), 1.0)
    np.testing.assert_allclose(np.sum(found.weights, axis=1), 1.0)
    assert np.all(found.density >= 0)


@pytest.mark.parametrize(
    ("curvature", "bandwidth"),
    [
        ([-2.0, -2.0, 6.0], 0.08),
        ([3.0, 3.0, 3.0], 0.03),  # of a single eigenvalue, a hundredth of that
        ([0.0, 0.0, 0.0], 0.01),
    ],
)
def test_a_peak_is_a_hundredth_of_the_spectrum_wide_unless_told_otherwise(curvature, bandwidth):
    found = spectral_density(
        quadratic, jnp.ones(3), np.array(curvature), key=jax.random.key(0), points=4096
    )
    distance = np.asarray(found.grid) - curvature[0]
    peak = np.where(np.abs(distance) < 9 * bandwidth, found.density, 0)
    variance = np.average(distance**2, weights=peak)
    np.testing.assert_allclose(np.sqrt(variance), bandwidth, rtol=1e-3)


def test_the_rule_has_the_moments_of_the_spectrum():
    # Signs see each direction of a diagonal Hessian alike, so that there is no noise.
    curvature = np.linspace(-1, 2, 50) ** 3
    found = spectral_density(
        quadratic, jnp.ones(50), curvature, key=jax.random.key(0), probes=3, iterations=8
    )
    assert found.nodes.shape == found.weights.shape == (3, 8)
    for power in range(16):
        moments = np.sum(found.weights * found.nodes**power, axis=1)
        np.testing.assert_allclose(moments, np.mean(curvature**power), rtol=1e-10, atol=1e-12)


def test_a_rule_that_is_exact_early_has_no_weight_left():
    curvature = np.array([1.0, 1.0, 1.0, 5.0])
    found = spectral_density(quadratic, jnp.ones(4), curvature, key=jax.random.key(0))
    np.testing.assert_allclose(found.weights[:, :2], [[0.75, 0.25]] * 10)
    np.testing.assert_allclose(found.nodes[:, :2], [[1.0, 5.0]] * 10)
    np.testing.assert_array_equal(found.weights[:, 2:], 0)


def test_bad_arguments_are_refused():
    for name in ("probes", "iterations", "bandwidth"):
        with pytest.raises(ValueError, match=name):
            spectral_density(jnp.sum, jnp.ones(1), key=jax.random.key(0), **{name: 0})
    with pytest.raises(ValueError, match="the Hessian is not finite"):
        spectral_density(lambda w: jnp.sum(jnp.log(w)), jnp.zeros(2), key=jax.random.key(0))

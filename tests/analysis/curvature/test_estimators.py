"""Hutchinson's estimators: exact, unbiased, and as far off as they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import hessian_diagonal, hessian_trace
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")

MATRIX = np.array([[2.0, 1.0, -0.5], [1.0, 1.0, 0.0], [-0.5, 0.0, -3.0]])


def loss(w):
    return 0.5 * w @ (jnp.asarray(MATRIX) @ w)


def test_of_a_diagonal_hessian_both_are_exact():
    w = {"a": jnp.ones(2), "b": jnp.array(1.0)}
    diagonal_loss = lambda w: w["a"][0] ** 2 + 2 * w["a"][1] ** 2 - 3 * w["b"] ** 2  # noqa: E731
    trace = hessian_trace(diagonal_loss, w, key=jax.random.key(0), probes=2)
    assert trace == (0.0, 0.0)
    diagonal = hessian_diagonal(diagonal_loss, w, key=jax.random.key(0), probes=2)
    np.testing.assert_allclose(diagonal.value["a"], [2.0, 4.0])
    np.testing.assert_allclose(diagonal.value["b"], -6.0)
    np.testing.assert_array_equal(networks.flat(diagonal.standard_error), 0)


def test_standard_errors_are_those_of_the_closed_form():
    probes = 20_000
    off = MATRIX - np.diag(np.diag(MATRIX))
    trace = hessian_trace(loss, jnp.ones(3), key=jax.random.key(0), probes=probes)
    expected = np.sqrt(2 * np.sum(off**2) / probes)
    np.testing.assert_allclose(trace.standard_error, expected, rtol=0.03)
    diagonal = hessian_diagonal(loss, jnp.ones(3), key=jax.random.key(0), probes=probes)
    expected = np.sqrt(np.sum(off**2, axis=1) / probes)
    np.testing.assert_allclose(diagonal.standard_error, expected, rtol=0.03)


def test_the_truth_is_within_two_standard_errors_as_often_as_it_should():
    estimate = jax.jit(jax.vmap(lambda key: hessian_trace(loss, jnp.ones(3), key=key, probes=50)))
    value, error = estimate(jax.random.split(jax.random.key(1), 400))
    inside = np.abs(value - np.trace(MATRIX)) < 2 * error
    assert 0.92 < np.mean(inside) < 0.98
    np.testing.assert_allclose(np.std(value), np.mean(error), rtol=0.1)


def test_of_a_network_they_are_near_those_of_its_dense_hessian():
    params, data = networks.parameters(), networks.examples()
    dense = networks.dense_hessian(params, data)
    arguments = {"key": jax.random.key(0), "probes": 200}
    trace = hessian_trace(networks.loss, params, data, **arguments)
    assert abs(trace.value - np.trace(dense)) < 4 * trace.standard_error
    off = dense - np.diag(np.diag(dense))
    expected = np.sqrt(2 * np.sum(off**2) / 200)
    np.testing.assert_allclose(trace.standard_error, expected, rtol=0.2)
    diagonal = hessian_diagonal(networks.loss, params, data, **arguments)
    assert jax.tree.structure(diagonal.value) == jax.tree.structure(params)
    z = networks.flat(diagonal.value) - np.diag(dense)
    np.testing.assert_array_less(np.abs(z), 5 * networks.flat(diagonal.standard_error))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"probes must be a whole number between 2 .* not 1"):
        hessian_trace(loss, jnp.ones(3), key=jax.random.key(0), probes=1)
    with pytest.raises(ValueError, match="the Hessian is not finite"):
        hessian_diagonal(lambda w: jnp.log(w), jnp.array(0.0), key=jax.random.key(0))

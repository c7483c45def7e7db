"""Gradients and Hessian-vector products of losses, by closed forms and by finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import losses
from gdlab.analysis import hessian_vector_product

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(5)
Z, V = RANDOM.normal(size=6) * 2, RANDOM.normal(size=6)
Y = RANDOM.dirichlet(np.ones(6))
S = RANDOM.uniform(size=6)


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


P = softmax(Z)
SPREAD = np.diag(P) - np.outer(P, P)
WITHIN = np.abs(Z) <= 1

# The loss as a function of one vector, its gradient and its Hessian at Z.
CLOSED = {
    "squared error": (
        lambda z: losses.squared_error(z, jnp.asarray(Y)).sum(), 2 * (Z - Y), 2 * np.eye(6)
    ),
    "half squared error": (
        lambda z: losses.l2_loss(z, jnp.asarray(Y)).sum(), Z - Y, np.eye(6)
    ),
    "huber": (
        lambda z: losses.huber_loss(z).sum(), np.clip(Z, -1, 1), np.diag(1.0 * WITHIN)
    ),
    "softmax": (lambda z: losses.softmax_cross_entropy(z, jnp.asarray(Y)), P - Y, SPREAD),
    # Labels that do not add up to 1 weigh the example.
    "softmax, weighed": (
        lambda z: losses.softmax_cross_entropy(z, 3 * jnp.asarray(Y)), 3 * (P - Y), 3 * SPREAD
    ),
    "softmax, integers": (
        lambda z: losses.softmax_cross_entropy_with_integer_labels(z, 2),
        P - np.eye(6)[2],
        SPREAD,
    ),
    "sigmoid": (
        lambda z: losses.sigmoid_binary_cross_entropy(z, jnp.asarray(S)).sum(),
        sigmoid(Z) - S,
        np.diag(sigmoid(Z) * sigmoid(-Z)),
    ),
    "divergence": (
        lambda z: losses.kl_divergence(jax.nn.log_softmax(z), jnp.asarray(Y)), P - Y, SPREAD
    ),
    "divergence, logarithms": (
        lambda z: losses.kl_divergence_with_log_targets(
            jax.nn.log_softmax(z), jnp.log(jnp.asarray(Y))
        ),
        P - Y,
        SPREAD,
    ),
    "smoothing": (
        lambda z: losses.softmax_cross_entropy(
            z, losses.smooth_labels(jnp.asarray(np.eye(6)[1]), 0.3)
        ),
        P - 0.7 * np.eye(6)[1] - 0.05,
        SPREAD,
    ),
}  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("loss", "gradient", "hessian"), CLOSED.values(), ids=CLOSED)
def test_derivatives_are_those_of_the_closed_form_and_of_differences(loss, gradient, hessian):
    z, v = jnp.asarray(Z), jnp.asarray(V)
    slope = jax.jit(jax.grad(loss))
    np.testing.assert_allclose(slope(z), gradient, rtol=1e-12, atol=1e-15)
    product = hessian_vector_product(loss, z, v)
    np.testing.assert_allclose(product, hessian @ V, rtol=1e-12, atol=1e-14)
    reverse = jax.grad(lambda z: jnp.vdot(jax.grad(loss)(z), v))(z)
    np.testing.assert_allclose(reverse, hessian @ V, rtol=1e-12, atol=1e-14)
    # Central differences: their truncation is h²/6 of the third derivative.
    difference = (slope(z + 1e-5 * v) - slope(z - 1e-5 * v)) / 2e-5
    np.testing.assert_allclose(product, difference, rtol=1e-6, atol=1e-8)


def test_huber_is_curved_at_zero_and_has_the_clipped_error_as_gradient_at_its_ends():
    curvature = jax.grad(jax.grad(losses.huber_loss))
    assert [float(curvature(e)) for e in (0.0, 0.5, -0.5, 2.0)] == [1, 1, 1, 0]
    assert [float(jax.grad(losses.huber_loss)(e)) for e in (1.0, -1.0, 5.0)] == [1, -1, 1]


def test_the_gradient_by_the_labels_is_the_negative_logarithm_where_they_are_zero_as_well():
    by_labels = jax.grad(losses.softmax_cross_entropy, 1)(jnp.asarray(Z), jnp.eye(6)[0])
    np.testing.assert_allclose(by_labels, -np.log(P), rtol=1e-12)


def test_the_gradient_by_the_threshold_is_the_length_beyond_it():
    by_delta = jax.grad(lambda delta: losses.huber_loss(jnp.array(5.0), delta=delta))(2.0)
    assert float(by_delta) == pytest.approx(3.0, rel=1e-14)

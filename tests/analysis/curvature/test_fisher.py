"""Empirical Fisher products against the gradients of the examples, one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import empirical_fisher_vector_product
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")


def log_likelihood(params, example):
    x, target = example
    return -networks.loss(params, (x[None], target[None]))


@pytest.mark.parametrize("batch_size", [None, 10])
def test_the_product_is_that_of_the_outer_products_of_gradients(batch_size):
    params, (inputs, targets) = networks.parameters(), networks.examples()
    gradient = jax.jit(jax.grad(networks.loss))
    gradients = np.stack(
        [
            networks.flat(gradient(params, (inputs[i : i + 1], targets[i : i + 1])))
            for i in range(25)
        ]
    )
    vector = np.random.default_rng(2).normal(size=499)
    product = empirical_fisher_vector_product(
        log_likelihood,
        params,
        networks.unflat(vector, params),
        (inputs, targets),
        batch_size=batch_size,
    )
    expected = gradients.T @ (gradients @ vector) / 25
    np.testing.assert_allclose(networks.flat(product), expected, atol=1e-13)


def test_of_a_gaussian_it_is_the_second_moment_of_the_errors():
    x = jnp.array([1.0, -2.0, 5.0])
    product = empirical_fisher_vector_product(
        lambda mean, x: -0.5 * (x - mean) ** 2, jnp.array(1.0), jnp.array(2.0), x
    )
    np.testing.assert_allclose(product, 2 * (0 + 9 + 16) / 3)


def test_a_likelihood_of_the_whole_batch_is_refused():
    w = jnp.ones(2)
    with pytest.raises(TypeError, match="real scalar"):
        empirical_fisher_vector_product(lambda w, x: w * x, w, w, jnp.ones((3, 2)))

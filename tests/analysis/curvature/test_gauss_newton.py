"""Gauss–Newton products against dense Jacobians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import gauss_newton_vector_product, hessian_vector_product
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")


@pytest.mark.parametrize("batch_size", [None, 10])
def test_the_product_is_that_of_dense_jacobians(batch_size):
    params, data = networks.parameters(), networks.examples()
    vector = np.random.default_rng(2).normal(size=499)
    jacobian = np.concatenate(
        [
            np.reshape(leaf, (25, 3, -1))
            for leaf in jax.tree.leaves(jax.jacrev(networks.outputs)(params, data[0]))
        ],
        axis=2,
    )
    # ∇² of the cross-entropy of logits: diag p − ppᵀ.
    p = np.exp(networks.outputs(params, data[0]))
    p /= p.sum(axis=1, keepdims=True)
    curvature = p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None, :]
    expected = np.einsum("noi,nop,npj,j->i", jacobian, curvature, jacobian, vector, optimize=True)
    product = gauss_newton_vector_product(
        networks.outputs,
        networks.cross_entropy,
        params,
        networks.unflat(vector, params),
        data,
        batch_size=batch_size,
    )
    np.testing.assert_allclose(networks.flat(product), expected / 25, atol=1e-13)


def test_of_a_linear_model_it_is_the_hessian():
    rng = np.random.default_rng(0)
    w, v = rng.normal(size=(2, 4))
    x, y = jnp.asarray(rng.normal(size=(7, 4))), jnp.asarray(rng.normal(size=7))

    def quartic(outputs, targets):
        return jnp.mean((outputs - targets) ** 4)

    gauss_newton = gauss_newton_vector_product(lambda w, x: x @ w, quartic, w, v, (x, y))
    hessian = hessian_vector_product(lambda w, batch: quartic(batch[0] @ w, batch[1]), w, v, (x, y))
    np.testing.assert_allclose(gauss_newton, hessian, rtol=1e-12)


def test_data_that_are_no_pair_are_refused():
    w = jnp.ones(2)
    with pytest.raises(TypeError, match=r"data must be a tuple of 2 values"):
        gauss_newton_vector_product(lambda w, x: w, lambda o, t: o.sum(), w, w, jnp.ones(2))


def test_a_loss_for_each_example_is_refused():
    w = jnp.ones(())
    with pytest.raises(TypeError, match="real scalar"):
        gauss_newton_vector_product(lambda w, x: w * x, jnp.subtract, w, w, (jnp.ones(2),) * 2)

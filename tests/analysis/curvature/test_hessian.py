"""Hessian-vector products against dense Hessians and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import hessian_vector_product
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")


def cubic(w):
    return w["a"] ** 2 * w["b"][0] + w["b"][1] ** 3


POINT = {"a": 2.0, "b": [3.0, 4.0]}
CUBIC_HESSIAN = np.array([[6.0, 4.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 24.0]])


def tree_of(numbers, dtype=None):
    return {"a": jnp.asarray(numbers[0], dtype), "b": jnp.asarray(numbers[1:], dtype)}


@pytest.mark.parametrize("direction", np.eye(3).tolist())
def test_a_product_with_a_unit_vector_is_a_column(direction):
    product = hessian_vector_product(cubic, tree_of([2.0, 3.0, 4.0]), tree_of(direction))
    np.testing.assert_allclose(networks.flat(product), CUBIC_HESSIAN @ direction, rtol=1e-14)


def test_products_of_a_network_are_those_of_its_dense_hessian():
    params, data = networks.parameters(), networks.examples()
    vector = np.random.default_rng(2).normal(size=499)
    dense = networks.dense_hessian(params, data)
    product = hessian_vector_product(
        networks.loss, params, networks.unflat(vector, params), data, batch_size=10
    )
    assert jax.tree.structure(product) == jax.tree.structure(params)
    np.testing.assert_allclose(networks.flat(product), dense @ vector, atol=1e-13)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 5, 9, 10])
def test_every_batch_size_gives_the_mean_over_all_examples(batch_size):
    curvature = jnp.arange(10.0) ** 2
    product = hessian_vector_product(
        lambda w, c: 0.5 * jnp.mean(c) * w**2,
        jnp.array(1.0),
        jnp.array(2.0),
        curvature,
        batch_size=batch_size,
    )
    np.testing.assert_allclose(product, 2 * 285 / 10, rtol=1e-14)


def test_one_batch_is_in_memory_at_a_time():
    seen = set()

    def loss(w, batch):
        seen.add(batch.shape)
        return jnp.mean(batch) * w**2

    hessian_vector_product(loss, jnp.array(1.0), jnp.array(1.0), jnp.ones((11, 2)), batch_size=4)
    assert seen == {(4, 2), (3, 2)}


def test_a_loss_is_compiled_once_for_its_shapes():
    traces, counts = [], []

    def loss(w, batch):
        traces.append(1)
        return jnp.mean((batch * w) ** 2)

    for value in (1.0, 2.0, 3.0):
        data = value * jnp.ones(5)
        product = hessian_vector_product(loss, jnp.array(value), jnp.array(1.0), data)
        np.testing.assert_allclose(product, 2 * value**2)
        counts.append(len(traces))
    assert counts[0] == counts[-1] > 0


def test_losses_with_their_own_derivative_rule_are_differentiated_by_it():
    @jax.custom_vjp
    def square(w):
        return w**2

    square.defvjp(lambda w: (w**2, w), lambda w, g: (6 * w * g,))
    assert hessian_vector_product(square, jnp.array(1.0), jnp.array(1.0)) == 6


def test_products_pass_through_jit_and_vmap():
    product = jax.jit(
        jax.vmap(lambda w: hessian_vector_product(lambda w: w**3, w, jnp.ones_like(w)))
    )(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(product, [6.0, 12.0])


def test_low_precision_and_mixed_dtypes_are_widened():
    params = {"a": jnp.asarray(2.0, "bfloat16"), "b": jnp.asarray([3.0, 4.0], "float32")}
    product = hessian_vector_product(cubic, params, params)
    assert {leaf.dtype for leaf in jax.tree.leaves(product)} == {np.dtype("float32")}
    np.testing.assert_allclose(networks.flat(product), CUBIC_HESSIAN @ [2, 3, 4], rtol=1e-6)


def test_missing_leaves_stay_missing():
    w = {"a": jnp.array(1.0), "b": None}
    assert hessian_vector_product(lambda w: w["a"] ** 2, w, w) == {"a": 2.0, "b": None}


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ({"a": 1.0}, "leaf at 'b'"),
        ({"a": 1.0, "b": np.ones(3)}, r"shape at 'b': \(3,\) and \(2,\)"),
        ({"a": 1.0, "b": np.ones(2), "c": 1.0}, "leaf at 'c'"),
    ],
)
def test_a_vector_unlike_the_parameters_is_refused_by_path(vector, message):
    with pytest.raises(ValueError, match=message):
        hessian_vector_product(cubic, tree_of([2.0, 3.0, 4.0]), vector)


@pytest.mark.parametrize("leaf", [np.arange(2), np.array([True]), np.ones(2) * 1j, "text"])
def test_parameters_that_are_not_real_are_refused_by_path(leaf):
    with pytest.raises(TypeError, match=r"params at 'b\.0'.*in the loss"):
        hessian_vector_product(cubic, {"a": jnp.array(1.0), "b": [leaf]}, None)


def test_no_parameters_are_refused():
    with pytest.raises(ValueError, match="no numbers"):
        hessian_vector_product(cubic, {"a": None, "b": jnp.zeros(0)}, None)


def test_a_product_that_is_not_finite_is_refused_outside_jit_alone():
    def product(w):
        return hessian_vector_product(jnp.log, w, jnp.array(1.0))

    with pytest.raises(ValueError, match="Hessian-vector product is not finite"):
        product(jnp.array(0.0))
    assert not np.isfinite(jax.jit(product)(jnp.array(0.0)))


def test_random_and_vector_valued_losses_are_refused():
    w = jnp.ones(2)
    with pytest.raises(TypeError, match="fix the key"):
        hessian_vector_product(lambda w, key: w.sum(), w, w)
    with pytest.raises(TypeError, match="real scalar"):
        hessian_vector_product(lambda w: w, w, w)


def test_sizes_that_do_not_fit_are_refused():
    w = jnp.ones(2)
    with pytest.raises(ValueError, match="no data"):
        hessian_vector_product(cubic, w, w, batch_size=2)
    with pytest.raises(ValueError, match="only 3 examples"):
        hessian_vector_product(cubic, w, w, jnp.ones(3), batch_size=4)

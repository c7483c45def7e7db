"""Newton–Schulz in single and low precision, and how many products it takes."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import orthogonalize
from tests.references.matrix import newton_schulz, polar


def gaussian(shape):
    return np.random.default_rng(0).normal(size=shape)


def after(tx, array):
    return tx.update(array, tx.init(array))[0]


@pytest.mark.slow
@pytest.mark.parametrize("iteration", ["standard", "gram"])
def test_float32_is_as_good_as_float32_can_be(iteration):
    g = jnp.asarray(gaussian((64, 256)), jnp.float32)
    for name in ("standard", "polar_express"):
        own = np.reshape(orthogonalize(name).ns_coeffs, (-1, 3))
        expected = newton_schulz(np.asarray(g, np.float64), own, 5)
        actual = after(orthogonalize(name, iteration=iteration), g)
        np.testing.assert_allclose(actual, expected, atol=1e-5)
        low = after(orthogonalize(name, iteration=iteration, dtype="bfloat16"), g)
        assert low.dtype == jnp.float32
        # Three digits, and five steps that magnify them.
        assert 1e-4 < np.abs(low - expected).max() < 0.05


@pytest.mark.parametrize("iteration", ["standard", "gram"])
def test_the_products_are_in_the_dtype_that_is_asked_for(iteration):
    tx = orthogonalize(iteration=iteration, dtype="bfloat16")
    program = jax.make_jaxpr(lambda g: tx.update(g, tx.init(g))[0])(jnp.ones((4, 8)))
    products = re.findall(r":(\w+)\[[\d,]*\] = dot_general", str(program))
    assert len(products) >= 15
    assert set(products) == {"bf16"}


def test_gradients_that_would_overflow_or_vanish_when_squared_are_orthogonalized():
    g = gaussian((4, 4))
    tx = orthogonalize("polar_express", 8, eps=0.0)
    for factor in (1e-30, 1e30):
        actual = after(tx, jnp.asarray(factor * g, jnp.float32))
        np.testing.assert_allclose(actual, polar(g), atol=1e-4)


def test_the_gram_matrix_is_iterated_where_that_is_cheaper():
    def products(shape, **options):
        tx = orthogonalize(**options)
        text = jax.jit(lambda g: after(tx, g)).lower(jnp.zeros(shape)).as_text()
        return text.count("stablehlo.dot_general")

    assert products((8, 8), iteration="standard") == products((8, 8)) == 15
    assert products((8, 8), iteration="gram") == 18
    assert products((8, 12)) == 15
    assert products((8, 13)) == products((13, 8)) == 18


@pytest.mark.parametrize("steps", [3, 5])
@pytest.mark.parametrize("side", [80, 112])  # 1.25 and 1.75 times 64
def test_the_iteration_that_is_chosen_has_the_fewest_operations(steps, side):
    def operations(iteration):
        tx = orthogonalize("polar_express", steps, iteration=iteration)
        return jax.jit(lambda g: after(tx, g)).lower(jnp.zeros((64, side))).cost_analysis()["flops"]

    plain, gram = operations("standard"), operations("gram")
    assert (plain < gram) == (side == 80)
    assert operations("auto") == min(plain, gram)

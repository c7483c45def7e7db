"""Norms that neither overflow nor vanish."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import unitwise_norm
from gdlab.transforms.norms.norms import norm, rms, tree_norm

ORDERS = [1, 2, 2.5, np.inf]
EPS = np.finfo(np.float32).eps


@pytest.mark.x64
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("axis", [None, -1, (0, 2)])
def test_it_is_the_norm_of_numpy_along_any_axes(order, axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 2)) + 0.5j
    expected = np.sum(np.abs(x) ** order, axis) ** (1 / order)
    if order == np.inf:
        expected = np.max(np.abs(x), axis)
    np.testing.assert_allclose(norm(jnp.asarray(x), order, axis), expected, rtol=1e-14)
    assert norm(jnp.asarray(x), order, axis, keepdims=True).ndim == 3


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1e-36, 1e-30, 1e30, 3e37])
def test_it_neither_overflows_nor_vanishes(order, size):
    x = np.array([3.0, -4.0, 0.0, 1.0], np.float32)
    expected = float(np.linalg.norm(x.astype(np.float64), order)) * size
    tree = {"a": jnp.asarray(size * x[:2]), "b": jnp.asarray(size * x[2:])}
    # Two roundings of each element, and the powers of an order that is no integer.
    for found in (norm(jnp.asarray(size * x), order), tree_norm(tree, order)):
        np.testing.assert_allclose(found, expected, rtol=12 * EPS)


def test_its_unit_divides_without_rounding():
    x = jnp.asarray(np.random.default_rng(1).normal(size=1000), jnp.float32)
    np.testing.assert_array_equal(norm(2.0**20 * x), 2.0**20 * norm(x))


@pytest.mark.parametrize("order", ORDERS)
def test_of_nothing_or_of_zeros_it_is_zero_with_no_slope(order):
    assert norm(jnp.zeros((0, 3)), order) == 0
    assert norm(jnp.zeros((0, 3)), order, 0).tolist() == [0, 0, 0]
    assert not jax.grad(lambda x: norm(x, order))(jnp.zeros(3)).any()


@pytest.mark.x64
@pytest.mark.parametrize("order", ORDERS)
def test_its_derivative_is_that_of_the_norm_itself(order):
    x = jnp.asarray([3.0, -4.0, 1.0])
    slope = jax.grad(lambda x: norm(x, order))(x)
    expected = np.sign(x) * (np.abs(x) / norm(x, order)) ** (order - 1)
    if order == np.inf:
        expected = np.array([0.0, -1.0, 0.0])
    np.testing.assert_allclose(slope, expected, rtol=1e-14)


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_a_nan_shows_unless_it_is_to_be_ignored_and_infinity_is_infinite():
    x = jnp.array([jnp.nan, 3.0, 4.0])
    assert np.isnan(norm(x))
    assert norm(x, ignore_nan=True) == 5
    assert norm(jnp.array([jnp.inf, 1.0])) == np.inf
    assert norm(jnp.array([jnp.inf, jnp.nan]), ignore_nan=True) == np.inf


@pytest.mark.sampled(1)
@pytest.mark.parametrize("length", [norm, lambda x, **how: tree_norm([x], **how)])
@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_passing_over_nan_is_the_norm_of_the_other_elements(length):
    rows = jnp.array([[np.nan, 3, 4], [3, np.nan, 4], [np.nan] * 3, [0, 0, 0], [3, 4, 0]])
    lengths = jax.vmap(lambda x: length(x, ignore_nan=True))
    sizes = jnp.array([1e30, 1e-30, 1, 1, 1])
    expected = np.array([5e30, 5e-30, 0, 0, 5], np.float32)
    np.testing.assert_allclose(lengths(rows * sizes[:, None]), expected, rtol=4 * EPS)
    slopes = jax.grad(lambda rows: lengths(rows).sum())(rows)
    numbers = np.nan_to_num(rows)
    long = np.linalg.norm(numbers, axis=1, keepdims=True)
    np.testing.assert_allclose(slopes, numbers / np.where(long > 0, long, 1), rtol=4 * EPS)


@pytest.mark.slow
@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_a_long_sum_that_passes_over_nan_does_not_cease_to_grow():
    # 2²⁴ + 1 is no float32: a plain sum of ones, one after the other, stops there.
    many = jnp.ones(2**25 + 2**24).at[0].set(jnp.nan)
    np.testing.assert_allclose(norm(many, ignore_nan=True), (many.size - 1) ** 0.5, rtol=4 * EPS)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_low_precision_is_measured_in_float32(dtype):
    many = jnp.full(10_000, 256.0, dtype)
    assert norm(many).dtype == jnp.float32
    assert (norm(many), rms(many)) == (25600, 256)


def test_the_root_mean_square_counts_what_is_averaged():
    x = jnp.array([[1.0, -1.0], [2.0, 2.0]])
    np.testing.assert_allclose(rms(x, 1), [1, 2], rtol=2 * EPS)
    np.testing.assert_allclose(rms(x), np.sqrt(2.5), rtol=2 * EPS)
    assert rms(jnp.zeros((0, 2))) == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("shape", [(), (5,), (3, 2), (1, 4), (4, 1), (2, 3, 4, 5), (1, 1, 1, 4)])
def test_units_are_those_of_optax_where_there_are_not_three_axes(shape):
    x = jnp.asarray(np.random.default_rng(2).normal(size=shape), jnp.float32)
    np.testing.assert_allclose(unitwise_norm(x), optax.transforms.unitwise_norm(x), rtol=4 * EPS)


def test_a_unit_of_three_axes_is_all_that_feeds_one_output():
    x = jnp.asarray(np.random.default_rng(3).normal(size=(3, 2, 4)), jnp.float32)
    assert len(np.unique(unitwise_norm(x).round(5))) == 4
    # optax takes three axes for those of several heads.
    np.testing.assert_allclose(unitwise_norm(x, 0), optax.transforms.unitwise_norm(x), rtol=4 * EPS)

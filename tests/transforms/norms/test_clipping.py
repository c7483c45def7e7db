"""Bounds on the updates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import chain, clip, clip_by_global_norm, global_norm, partition, scale

TREE = {"a": jnp.array([3.0, 0.0]), "b": {"c": jnp.array([[4.0]]), "d": None}}


def clipped(tx, gradient):
    return tx.update(gradient, tx.init(gradient))[0]


def test_clip_bounds_each_element_and_leaves_the_others():
    g = jnp.array([-3.0, -1.0, 0.25, 1.0, 2.0])
    assert clipped(clip(1.0), g).tolist() == [-1, -1, 0.25, 1, 1]
    np.testing.assert_array_equal(
        clipped(clip(0.5), g), optax.clip(0.5).update(g, optax.EmptyState())[0]
    )


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_clip_lets_a_nan_stand_where_it_was():
    out = clipped(clip(1.0), jnp.array([jnp.nan, 5.0, jnp.inf]))
    assert np.isnan(out[0])
    assert out[1:].tolist() == [1, 1]


def test_the_global_norm_is_that_of_all_leaves_in_one_vector():
    assert global_norm(TREE) == 5.0
    assert global_norm({}) == 0.0
    assert global_norm(jnp.array([3.0 + 4.0j])) == 5.0
    assert global_norm({"a": jnp.zeros((0, 2)), "n": None}) == 0.0


def test_a_longer_update_is_scaled_to_the_norm_and_a_shorter_one_is_untouched():
    short = clipped(clip_by_global_norm(5.0), TREE)
    jax.tree.map(np.testing.assert_array_equal, short, TREE)
    long = clipped(clip_by_global_norm(2.5), TREE)
    assert long["a"].tolist() == [1.5, 0.0]
    assert long["b"]["c"].tolist() == [[2.0]]
    assert long["b"]["d"] is None


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 100.0])
def test_it_agrees_with_optax(max_norm):
    rng = np.random.default_rng(0)
    g = {"a": jnp.asarray(rng.normal(size=7)), "b": jnp.asarray(rng.normal(size=(2, 3)))}
    expected, _ = optax.clip_by_global_norm(max_norm).update(g, optax.EmptyState())
    # A norm of thirteen squares, and the quotient, taken once or for each element.
    rounding = 13 * np.finfo(np.float32).eps
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=rounding),
        clipped(clip_by_global_norm(max_norm), g),
        expected,
    )


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_the_norm_of_low_precision_is_computed_in_float32(dtype):
    # Its square, 10⁹, is beyond float16, and a sum of 10⁴ ones stalls at 256 in bfloat16.
    many = jnp.full(10_000, 1000.0 if dtype == jnp.float16 else 1.0, dtype)
    length = float(many[0]) * 100
    eps = float(np.finfo(np.float32).eps)  # of a sum whose order XLA chooses
    np.testing.assert_allclose(global_norm(many), length, rtol=eps)
    out = clipped(clip_by_global_norm(length / 4), many)
    assert out.dtype == dtype
    assert (out == many[0] / 4).all()


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_a_nan_spoils_only_the_element_where_it_was():
    g = {"a": jnp.array([jnp.nan, 1.0]), "b": jnp.array([2.0])}
    out = clipped(clip_by_global_norm(1.0), g)
    assert np.isnan(out["a"][0])
    # The others are within the bound, (1, 2)/√5, and do not pass unclipped.
    np.testing.assert_allclose([out["a"][1], out["b"][0]], np.array([1, 2]) / 5**0.5, rtol=1e-6)


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_an_infinity_spoils_only_the_element_where_it_was():
    g = {"a": jnp.array([jnp.inf, 1.0]), "b": jnp.array([2.0])}
    out = clipped(clip_by_global_norm(1.0), g)
    assert not np.isfinite(out["a"][0])
    assert np.isfinite([out["a"][1], out["b"][0]]).all()


def test_a_norm_of_zero_clips_to_zero_and_not_to_nan():
    assert clipped(clip_by_global_norm(0.0), jnp.array([3.0, 0.0])).tolist() == [0, 0]
    assert clipped(clip_by_global_norm(0.0), jnp.zeros(2)).tolist() == [0, 0]
    assert clipped(clip_by_global_norm(1.0), jnp.zeros(2)).tolist() == [0, 0]


def test_within_a_group_the_norm_is_that_of_the_group():
    tx = partition(
        {"clip": clip_by_global_norm(1.0), "keep": scale(1.0)}, [("a", "clip"), ("", "keep")]
    )
    out = clipped(tx, TREE)
    assert out["a"].tolist() == [1.0, 0.0]
    assert out["b"]["c"].tolist() == [[4.0]]


def test_it_is_differentiable_on_both_sides_of_the_bound():
    def length(max_norm, g):
        return global_norm(clipped(chain(clip_by_global_norm(max_norm)), g))

    by_bound, by_gradient = jax.grad(length, (0, 1))(2.0, jnp.array([3.0, 4.0]))
    assert by_bound == pytest.approx(1.0)
    np.testing.assert_allclose(by_gradient, 0, atol=1e-6)
    by_bound, by_gradient = jax.grad(length, (0, 1))(9.0, jnp.array([3.0, 4.0]))
    assert by_bound == 0.0
    np.testing.assert_allclose(by_gradient, [0.6, 0.8], rtol=1e-6)


def test_the_norm_of_huge_finite_elements_does_not_overflow():
    huge = {"a": jnp.array([3e30]), "b": jnp.array([4e30])}
    # Their squares are beyond float32; the norm itself, 5e30, is not.
    np.testing.assert_allclose(global_norm(huge), 5e30, rtol=1e-6)
    tx = clip_by_global_norm(1.0)
    clipped, _ = tx.update(huge, tx.init(None))
    np.testing.assert_allclose([clipped["a"][0], clipped["b"][0]], [0.6, 0.8], rtol=1e-6)

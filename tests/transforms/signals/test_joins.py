"""Joins, by arithmetic and by what they degenerate to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    agreeing,
    fork,
    identity,
    interpolate,
    over_maximum,
    power_ratio,
    ratio,
    scale,
    signed_like,
    weighted_sum,
)

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(0)
M, G = RANDOM.normal(size=(2, 3, 4))
V = RANDOM.uniform(0.1, 2.0, size=(3, 4))


def joined(join, *signals):
    return np.asarray(join(*map(jnp.asarray, signals)))


def test_interpolation_goes_from_the_second_signal_to_the_first():
    np.testing.assert_array_equal(joined(interpolate(1.0), M, G), M)
    np.testing.assert_array_equal(joined(interpolate(0.0), M, G), G)
    np.testing.assert_allclose(joined(interpolate(0.3), M, G), 0.3 * M + 0.7 * G, rtol=1e-15)


def test_weighted_sum_is_a_product_with_the_row_of_weights():
    weights = [0.5, -2.0, 3.0]
    expected = np.tensordot(weights, np.stack([M, G, V]), 1)
    np.testing.assert_allclose(joined(weighted_sum(*weights), M, G, V), expected, rtol=1e-14)


def test_weighted_sum_of_another_number_of_signals_is_refused():
    tx = fork(weighted_sum(1.0, 2.0), identity(), scale(2.0), scale(3.0))
    with pytest.raises(ValueError, match="has 2 weights, but joins 3 signals"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)))


def test_power_one_half_is_the_ratio_and_power_zero_the_direction():
    np.testing.assert_allclose(
        joined(power_ratio(0.5, 0.1), M, V), joined(ratio(eps_root=0.1), M, V), rtol=1e-14
    )
    np.testing.assert_array_equal(joined(power_ratio(0.0, 0.1), M, V), M)
    assert joined(power_ratio(0.25, 0.0), np.ones(2), np.array([0.0, 16.0])).tolist() == [0.0, 0.5]


def test_denominator_does_not_fall_below_the_epsilon():
    expected = M / np.maximum(np.sqrt(V), 0.9)
    np.testing.assert_allclose(joined(over_maximum(0.9), M, V), expected, rtol=1e-15)
    assert joined(over_maximum(0.0), np.ones(1), np.zeros(1)).tolist() == [0.0]


def test_what_agrees_with_the_gradient_grows_by_what_is_dropped():
    out = joined(agreeing(1.0), M, G)
    agrees = M * G > 0
    expected = np.where(agrees, M * M.size / (agrees.sum() + 1.0), 0)
    np.testing.assert_allclose(out, expected, rtol=1e-15)
    assert np.sum(out * G) > 0


def test_nothing_is_left_where_no_element_agrees():
    np.testing.assert_array_equal(joined(agreeing(0.0), M, -M), np.zeros_like(M))


def test_complex_directions_agree_where_they_enclose_less_than_a_right_angle():
    m = np.exp(1j * np.array([0.0, 1.5, 1.6, 3.0]))
    with jax.numpy_dtype_promotion("standard"):
        out = joined(agreeing(0.0), m, np.ones(4, complex))
    np.testing.assert_allclose(out, [2 * m[0], 2 * m[1], 0, 0], rtol=1e-14)


def test_sizes_take_the_signs_of_another_signal():
    np.testing.assert_array_equal(joined(signed_like(), M, G), np.abs(M) * np.sign(G))

"""Eight bits an element: against the formulas of the paper, and another implementation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.transforms.storage.companding import companded, scale_from_bits, scale_to_bits

MOMENTS = np.random.default_rng(0).standard_normal((8, 96)).astype(np.float32) * 0.01
SQUARES = MOMENTS**2
FLOAT16_DIGITS = 2.0**-11


def paper(x, group, signed):
    """Ortiz et al., FlashOptim, 2026, algorithms 2 and 3, in float32 as they are printed."""
    half, one = np.float32(0.5), np.float32(1)
    groups = (x if signed else np.sqrt(x)).reshape(*x.shape[:-1], -1, group)
    scales = np.max(np.abs(groups), -1)
    share = groups / scales[..., None]
    if signed:
        codes = np.floor(2 * share / (one + np.abs(share)) * np.float32(127) + half)
    else:
        codes = np.floor(share * np.float32(255) + half)
        codes = np.where(groups > 0, np.maximum(codes, 1), codes)  # ours: never zero
    return codes.reshape(x.shape), scales.astype(np.float16)


@pytest.mark.parametrize("signed", [True, False])
def test_codes_and_scales_are_those_of_the_paper(signed):
    x = MOMENTS if signed else SQUARES
    found = companded(jnp.asarray(x), 32, not signed)
    codes, scales = paper(x, 32, signed)
    np.testing.assert_array_equal(found.codes, codes)
    np.testing.assert_array_equal(np.asarray(found.scales).view(np.float16), scales)


def test_codes_and_scales_are_those_of_the_port_by_its_authors_bit_for_bit():
    flash = pytest.importorskip(
        "flashoptim_jax.quantization", reason="flashoptim-jax is not installed"
    )
    for x, signed, quantize, dequantize in (
        (MOMENTS, True, flash.quantize_momentum, flash.dequantize_momentum),
        (SQUARES, False, flash.quantize_variance, flash.dequantize_variance),
    ):
        theirs = quantize(jnp.asarray(x))
        ours = companded(jnp.asarray(x), 32, not signed)
        is_kept = (np.asarray(theirs.values) != 0) | (x == 0) if not signed else np.full(x.shape, 1)
        where = is_kept.astype(bool)
        np.testing.assert_array_equal(
            np.asarray(ours.codes)[where], np.asarray(theirs.values)[where]
        )
        scales = np.asarray(ours.scales).view(np.float16).ravel()
        np.testing.assert_array_equal(scales, theirs.scales)
        np.testing.assert_array_equal(
            np.asarray(ours.read())[where], np.asarray(dequantize(theirs))[where]
        )


def test_what_is_read_differs_by_less_than_the_distance_of_two_codes():
    largest = np.abs(MOMENTS).reshape(8, 3, 32).max(-1, keepdims=True).repeat(32, -1)
    largest = largest.reshape(8, 96)
    # The slope of t/(2 − |t|) is at most 2, and that of a square 2.
    distance = largest * (1 / 127 + FLOAT16_DIGITS)
    error = np.abs(companded(jnp.asarray(MOMENTS), 32, False).read() - MOMENTS)
    assert np.all(error <= distance)
    roots = np.sqrt(companded(jnp.asarray(SQUARES), 32, True).read())
    assert np.all(np.abs(roots - np.abs(MOMENTS)) <= largest * (1 / 255 + FLOAT16_DIGITS))


def test_a_square_that_is_not_zero_does_not_become_zero():
    x = jnp.array([1e30] + [1e-30] * 31 + [1e-42] * 32 + [0.0] * 32)
    read = np.asarray(companded(x, 32, True).read())
    assert np.all(read[:32] > 0)
    assert np.all(read[64:] == 0)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("size", [1e-30, 1e-6, 1.0, 1e6, 1e30])
def test_neither_large_nor_small_groups_are_beyond_the_scales(size):
    x = size * jnp.linspace(-1, 1, 64)
    # A scale has at least the eight binary digits of bfloat16.
    np.testing.assert_allclose(companded(x, 64, False).read()[-1], size, rtol=2.0**-8)


def test_scales_outside_of_float16_have_the_digits_of_bfloat16():
    for number in (0.0, 1.0, 65504.0, 2.0**-14):
        assert scale_from_bits(scale_to_bits(jnp.float32(number))) == number
    for number in (2.0**-30, 2.0**100, np.inf):
        assert scale_from_bits(scale_to_bits(jnp.float32(number))) == number
    assert np.isfinite(scale_from_bits(scale_to_bits(jnp.float32(3.4e38))))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_element_is_not_hidden(bad):
    x = jnp.ones(64).at[3].set(bad)
    for nonnegative in (True, False):
        read = np.asarray(companded(x, 32, nonnegative).read())
        assert not np.all(np.isfinite(read[:32]))
        assert np.all(np.isfinite(read[32:]))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("length", "group"), [(1, 32), (33, 32), (100, 64), (5, 1)])
def test_a_length_that_is_no_multiple_of_a_group_comes_back_as_it_is(length, group):
    x = jnp.linspace(-1, 1, 3 * length).reshape(3, length)
    stored = companded(x, group, False)
    assert stored.shape == stored.read().shape == x.shape
    again = stored.write(stored.read())
    assert jax.tree.map(jnp.shape, again) == jax.tree.map(jnp.shape, stored)

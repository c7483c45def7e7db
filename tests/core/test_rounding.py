"""Rounding to 16 bits."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from gdlab.core.rounding import (
    joined,
    nearest,
    noise_of,
    salt_of,
    salts_by_place,
    stochastic,
    upper_half,
)

NARROW = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


def numbers(low, high, count=100_000):
    """float32 numbers of both signs whose binary exponents are spread evenly."""
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, count) * np.exp2(rng.integers(low, high, count))
    return (x * rng.choice([-1, 1], count)).astype(np.float32)


@pytest.mark.parametrize("dtype", NARROW)
def test_rounding_to_nearest_is_that_of_numpy_down_to_subnormal_numbers(dtype):
    x = numbers(-30, 15)
    expected = x.astype(NARROW[dtype]).astype(np.float32)
    np.testing.assert_array_equal(jax.jit(lambda x: nearest(x, jnp.dtype(dtype)))(x), expected)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("x", [1.0012345, -0.3001, 3.1e-5, 60000.3, -7e-4, 0.0, 6.1e-5])
def test_the_mean_over_all_noise_is_the_number_itself(dtype, x):
    noise = jnp.arange(2**16, dtype=jnp.uint32)
    x = jnp.float32(x)
    rounded = stochastic(jnp.full(2**16, x), noise, jnp.dtype(dtype))
    assert set(np.asarray(rounded)) <= set(np.asarray(rounded).astype(NARROW[dtype]).astype("f4"))
    # Below the normal numbers of float16 the noise is coarser than what is cut off.
    tolerance = 2.0**-24 * 2.0**-16 if dtype == "float16" else 0.0
    assert abs(np.asarray(rounded, np.float64).mean() - float(x)) <= tolerance


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_random_rounding_makes_nothing_infinite_or_finite(dtype):
    largest = float(jnp.finfo(jnp.dtype(dtype)).max)
    all_ones = np.array([0x7FFFFFFF], np.uint32).view(np.float32)[0]
    x = jnp.array([np.inf, -np.inf, np.nan, all_ones, largest, -largest], jnp.float32)
    rounded = stochastic(x, jnp.full(6, 2**16 - 1, jnp.uint32), jnp.dtype(dtype))
    np.testing.assert_array_equal(rounded, x)


def test_noise_is_uniform_and_differs_between_steps():
    x = jnp.linspace(0.5, 1.0, 2**16, dtype=jnp.float32)
    first, second = (np.asarray(noise_of(x, salt_of(step))) for step in (0, 1))
    for noise in (first, second):
        counts, _ = np.histogram(noise, bins=64, range=(0, 2**16))
        # χ² of 63 degrees of freedom is below 110 but in one of 5000 cases.
        assert np.sum((counts - 1024) ** 2 / 1024) < 110
    # The correlation of independent noise has the standard deviation 2⁻⁸.
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / 2**8


def test_noise_of_equal_numbers_is_uniform_at_each_place_and_differs_from_place_to_place():
    x = jnp.full((3, 4), 0.7, jnp.float32)
    draw = lambda step: noise_of(x, salts_by_place(salt_of(step), x.shape)).ravel()  # noqa: E731
    noise = np.asarray(jax.jit(jax.vmap(draw))(jnp.arange(1024)))
    for of_place in noise.T:
        counts, _ = np.histogram(of_place, bins=16, range=(0, 2**16))
        # χ² of 15 degrees of freedom is below 45 but in one of 13000 cases.
        assert np.sum((counts - 64) ** 2 / 64) < 45
    # The correlation of independent noise has the standard deviation 2⁻⁵.
    assert np.abs(np.corrcoef(noise.T) - np.eye(12)).max() < 4 / 2**5


@pytest.mark.usually(debug_nans="it makes a NaN on purpose")
def test_the_halves_of_any_float32_make_it_again():
    bits = np.random.default_rng(1).integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32)
    ties = np.array([0x3F808000, 0x3F818000, 0xBF808000, 0xBF818000, 0, 0x80000000], np.uint32)
    x = np.concatenate([bits, ties]).view(np.float32)
    # XLA on the CPU takes subnormal numbers for zeros.
    x = x[~(np.abs(x) < 2.0**-125)]
    upper, lower = jax.jit(upper_half)(x)
    assert lower.dtype == jnp.int16
    with np.errstate(invalid="ignore"):
        of_bfloat16 = np.asarray(upper).astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(of_bfloat16, upper)
    np.testing.assert_array_equal(jax.jit(joined)(upper, lower), x)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_nothing_is_below_a_zero_that_another_put_in_the_place_of_the_upper_half(zero):
    # A part that sets parameters to zero does not know of what their dtype lacks.
    lower = np.arange(-(2**15), 0, dtype=np.int16)
    upper = np.full(lower.shape, zero, np.float32)
    np.testing.assert_array_equal(jax.jit(joined)(upper, lower), upper)


def test_rounding_has_the_derivative_of_what_it_rounds():
    noise = jnp.zeros((), jnp.uint32)
    for rounded in (
        lambda x: nearest(x, jnp.bfloat16),
        lambda x: stochastic(x, noise, jnp.bfloat16),
        lambda x: joined(*upper_half(x)),
    ):
        assert jax.grad(lambda x, f=rounded: f(3 * x))(jnp.float32(1.0)) == 3.0

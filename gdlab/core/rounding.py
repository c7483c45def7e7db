"""Rounding of float32 to the numbers that bfloat16 or float16 can hold, to nearest or at random.

The results stay float32, since XLA may drop a conversion to the narrow dtype and back.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gdlab.core.structure import DType, Leaf, Tree

NARROW: tuple[np.dtype, ...] = (np.dtype(jnp.bfloat16), np.dtype(np.float16))
"""The dtypes of 16 bits to which float32 is rounded."""
_HALF_SPACING = 1 << 15
"""Half the spacing of bfloat16 numbers, in units of the spacing of float32 numbers."""
_FLOAT16_NORMAL = 2.0**-14
_FLOAT16_SPACINGS = 2.0**24
"""1 divided by the smallest spacing of float16, that of its subnormal numbers."""


def is_narrow(leaf: Leaf) -> bool:
    """Tell whether a leaf is an array of a 16-bit dtype."""
    return getattr(leaf, "dtype", None) in NARROW


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def nearest(x: jax.Array, dtype: DType) -> jax.Array:
    """``x`` rounded to the nearest number of ``dtype``, ties to even, as float32.

    Its derivative is defined as 1, the slope of rounding on average.
    """
    if dtype == jnp.bfloat16:
        return lax.reduce_precision(x, 8, 7)
    # XLA flushes subnormal numbers of float16 to zero here.
    steps = lax.round(x * _FLOAT16_SPACINGS, lax.RoundingMethod.TO_NEAREST_EVEN)
    normal = lax.reduce_precision(x, 5, 10)
    return jnp.where(jnp.abs(x) < _FLOAT16_NORMAL, steps / _FLOAT16_SPACINGS, normal)


@nearest.defjvp
def _nearest_jvp(dtype: DType, primals: Tree, tangents: Tree) -> Tree:
    return nearest(*primals, dtype), tangents[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def stochastic(x: jax.Array, noise: jax.Array, dtype: DType) -> jax.Array:
    """``x`` rounded to one of its two neighbours in ``dtype``, as float32.

    The mean over all values of the noise is x: the probability of each neighbour decreases with its
    distance. Numbers beyond the largest one of ``dtype`` are rounded to nearest.

    Args:
        x: a float32 array.
        noise: integers from 0 to 2¹⁶ − 1 in uint32, of the shape of ``x``.
        dtype: bfloat16 or float16.
    """
    bits = lax.bitcast_convert_type(x, jnp.uint32)
    dropped = 16 if dtype == jnp.bfloat16 else 13
    kept = (bits + (noise >> (16 - dropped))) >> dropped << dropped
    rounded = lax.bitcast_convert_type(kept, jnp.float32)
    if dtype == jnp.float16:
        size = jnp.abs(x) * _FLOAT16_SPACINGS
        below = jnp.floor(size)
        upwards = size - below > noise.astype(jnp.float32) / 2**16
        steps = below + upwards.astype(jnp.float32)
        small = jnp.copysign(steps / _FLOAT16_SPACINGS, x)
        rounded = jnp.where(jnp.abs(x) < _FLOAT16_NORMAL, small, rounded)
    # Infinity and NaN must stay the same.
    return jnp.where(jnp.abs(x) < float(jnp.finfo(dtype).max), rounded, nearest(x, dtype))


@stochastic.defjvp
def _stochastic_jvp(dtype: DType, primals: Tree, tangents: Tree) -> Tree:
    # The mean over the noise is x itself.
    return stochastic(*primals, dtype), tangents[0]


def salt_of(step: Leaf, index: int = 0) -> jax.Array:
    """The salt of :func:`noise_of` for the array at a position in its tree, at one step."""
    return _hashed(_hashed(jnp.asarray(step).astype(jnp.uint32)) + jnp.uint32(index))


def salts_by_place(salt: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """A different salt for each element, so that equal values are rounded independently."""
    place = jnp.zeros(shape, jnp.uint32)
    for axis, length in enumerate(shape):
        own = lax.broadcasted_iota(jnp.uint32, shape, axis)
        place = place * jnp.uint32(length) + own
    return salt + place * jnp.uint32(0x9E3779B9)


def noise_of(x: jax.Array, salt: jax.Array) -> jax.Array:
    """Integers from 0 to 2¹⁶ − 1 for :func:`stochastic`, a hash of each value's bits and a salt.

    No key is needed, and a repeated or resumed run rounds the same way. The salt differs from step
    to step, since otherwise a recurring value would always be rounded the same way.
    """
    return _hashed(lax.bitcast_convert_type(x, jnp.uint32) ^ salt) >> 16


def _hashed(bits: jax.Array) -> jax.Array:
    """A hash of 32 bits, in which every output bit depends on every input bit."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> shift)) * jnp.uint32(factor)
    return bits ^ (bits >> 16)


@jax.custom_jvp
def upper_half(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A float32 as a bfloat16 number and the remaining 16 bits, as int16.

    Ties are rounded away from zero, so that the remainder fits into 16 bits.
    """
    bits = lax.bitcast_convert_type(x, jnp.int32)
    upper = (bits + _HALF_SPACING) & ~0xFFFF
    lower = (bits - upper).astype(jnp.int16)
    # NaN must stay NaN.
    is_number = x == x
    upper = lax.bitcast_convert_type(upper, jnp.float32)
    return jnp.where(is_number, upper, x), jnp.where(is_number, lower, 0)


@upper_half.defjvp
def _upper_half_jvp(primals: Tree, tangents: Tree) -> Tree:
    out = upper_half(*primals)
    return out, (tangents[0], np.zeros(out[1].shape, jax.dtypes.float0))


@jax.custom_jvp
def joined(upper: jax.Array, lower: jax.Array) -> jax.Array:
    """The inverse of :func:`upper_half`."""
    bits = lax.bitcast_convert_type(upper, jnp.int32) + lower.astype(jnp.int32)
    whole = lax.bitcast_convert_type(bits, jnp.float32)
    # A zero with a negative remainder is not a result of :func:`upper_half`.
    return jnp.where((upper == 0) & (lower < 0), upper, whole)


@joined.defjvp
def _joined_jvp(primals: Tree, tangents: Tree) -> Tree:
    return joined(*primals), tangents[0]


def exponent_of(x: jax.Array, dtype: DType) -> jax.Array:
    """⌊log₂ |x|⌋ of numbers of ``dtype``, at least that of its smallest normal number."""
    biased = lax.bitcast_convert_type(x, jnp.int32) >> 23 & 0xFF
    return jnp.maximum(biased - 127, jnp.finfo(dtype).minexp)


def times_power_of_two(x: jax.Array, exponent: jax.Array) -> jax.Array:
    """x·2^exponent, even if neither the power nor its inverse is a float32."""
    half = exponent >> 1
    return x * _power_of_two(half) * _power_of_two(exponent - half)


def _power_of_two(exponent: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(exponent + 127 << 23, jnp.float32)

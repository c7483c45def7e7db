"""Rounding of float32 to the numbers that bfloat16 or float16 can hold, to nearest or at random.

The results stay float32: a conversion to the narrow dtype and back is one that XLA may leave out.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gdlab.core.structure import DType, Leaf

NARROW: tuple[np.dtype, ...] = (np.dtype(jnp.bfloat16), np.dtype(np.float16))
"""The dtypes of 16 bits to which float32 is rounded."""
_FLOAT16_NORMAL = 2.0**-14
_FLOAT16_SPACINGS = 2.0**24
"""The number of the smallest spacings of float16, those of its subnormal numbers, in 1."""


def is_narrow(leaf: Leaf) -> bool:
    """Tell whether a leaf is an array of one of the dtypes of 16 bits."""
    return getattr(leaf, "dtype", None) in NARROW


def nearest(x: jax.Array, dtype: DType) -> jax.Array:
    """``x`` rounded to the nearest number of ``dtype``, ties to even, as float32."""
    if dtype == jnp.bfloat16:
        return lax.reduce_precision(x, 8, 7)
    # XLA takes the subnormal numbers of float16 for zeros here.
    steps = lax.round(x * _FLOAT16_SPACINGS, lax.RoundingMethod.TO_NEAREST_EVEN)
    normal = lax.reduce_precision(x, 5, 10)
    return jnp.where(jnp.abs(x) < _FLOAT16_NORMAL, steps / _FLOAT16_SPACINGS, normal)


def stochastic(x: jax.Array, noise: jax.Array, dtype: DType) -> jax.Array:
    """``x`` rounded to one of its two neighbours in ``dtype``, as float32.

    Over all values of the noise the mean is x: the farther neighbour is taken as much more seldom.
    What lies beyond the largest number of ``dtype`` is rounded to nearest.

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
        steps = below + (size - below > noise.astype(jnp.float32) / 2**16)
        small = jnp.copysign(steps / _FLOAT16_SPACINGS, x)
        rounded = jnp.where(jnp.abs(x) < _FLOAT16_NORMAL, small, rounded)
    # Neither infinity nor NaN may become something else.
    return jnp.where(jnp.abs(x) < float(jnp.finfo(dtype).max), rounded, nearest(x, dtype))


def noise_of(x: jax.Array, step: Leaf) -> jax.Array:
    """Integers from 0 to 2¹⁶ − 1 for :func:`stochastic`, a hash of each value's bits and the step.

    No key is needed, and a run that is repeated or resumed rounds as before. The step is hashed in
    because a value that comes again and again would otherwise be rounded the same way for ever.
    """
    salt = jnp.asarray(step).astype(jnp.uint32) * jnp.uint32(0x9E3779B9)
    bits = lax.bitcast_convert_type(x, jnp.uint32) ^ salt
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> shift)) * jnp.uint32(factor)
    return bits >> 16


def exponent_of(x: jax.Array, dtype: DType) -> jax.Array:
    """⌊log₂ |x|⌋ of numbers of ``dtype``, and that of its smallest normal number for lesser ones."""
    biased = lax.bitcast_convert_type(x, jnp.int32) >> 23 & 0xFF
    return jnp.maximum(biased - 127, jnp.finfo(dtype).minexp)


def times_power_of_two(x: jax.Array, exponent: jax.Array) -> jax.Array:
    """x·2^exponent, where neither the power nor its inverse need be a float32."""
    half = exponent >> 1
    return x * _power_of_two(half) * _power_of_two(exponent - half)


def _power_of_two(exponent: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(exponent + 127 << 23, jnp.float32)

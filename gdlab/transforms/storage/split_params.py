"""Low-precision parameters with the bits lost in rounding kept in the state."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gdlab.core.authoring import TreeFunctions
from gdlab.core.rounding import (
    exponent_of,
    joined,
    nearest,
    times_power_of_two,
    upper_half,
)
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.storage.narrow_params import ParamFormat, narrow_params


def _log_half_spacing(param: jax.Array, dtype: np.dtype) -> jax.Array:
    return exponent_of(param, dtype) - jnp.finfo(dtype).nmant - 1


def _fraction(param: jax.Array, codes: jax.Array, dtype: np.dtype) -> jax.Array:
    """The parameter plus the code's fraction of half its spacing."""
    fraction = codes.astype(jnp.float32) / jnp.iinfo(codes.dtype).max
    return param + times_power_of_two(fraction, _log_half_spacing(param, dtype))


def _with_fraction(
    exact: jax.Array, dtype: np.dtype, codes: np.dtype
) -> tuple[jax.Array, jax.Array]:
    rounded = nearest(exact, dtype)
    error = times_power_of_two(exact - rounded, -_log_half_spacing(rounded, dtype))
    size = jnp.clip(error, -1, 1) * float(jnp.iinfo(codes).max)
    return rounded, lax.round(size, lax.RoundingMethod.AWAY_FROM_ZERO).astype(codes)


@functools.cache
def split_format(bits: int) -> ParamFormat:
    """The way of training that keeps ``bits`` lost bits for each parameter.

    For float16, and for bfloat16 with 8 bits, the bits are a fraction of half a spacing; for
    float16 it is exact with 16 bits. For bfloat16 with 16 bits, the parameter and the bits are the
    halves of a float32.
    """
    codes = np.dtype(f"int{bits}")

    def is_halves(dtype):
        return bits == 16 and dtype == jnp.bfloat16

    def exact(param, kept, dtype):
        return joined(param, kept) if is_halves(dtype) else _fraction(param, kept, dtype)

    def rounded(exact, dtype, _):
        return upper_half(exact) if is_halves(dtype) else _with_fraction(exact, dtype, codes)

    return ParamFormat(lambda param, _: jnp.zeros_like(param, codes), exact, rounded)


@transformation(reads=("params", EVERYTHING), slots=("inner", "lost_bits"))
def split_params(inner: GradientTransformation, bits: int = 8) -> TreeFunctions:
    """Train bfloat16 or float16 parameters, and keep the bits lost in rounding in the state.

    xₜ = wₜ + bₜ·hₜ, where h is half the spacing of w and b in [−1, 1] a fraction of 8 or 16 bits;
    xₜ₊₁ = xₜ + uₜ; wₜ₊₁ = xₜ₊₁ rounded to nearest, and bₜ₊₁ = (xₜ₊₁ − wₜ₊₁)/hₜ₊₁ rounded.
    ``inner`` sees x.

    The state holds the fractions under ``lost_bits``. bfloat16 with 8 lost bits gives weights of 24
    bits, with 16 lost bits float32 itself. The latter run is the same as in float32, except for the
    gradients, which are taken at w, and for last digits where XLA fuses products and sums
    differently. If a parameter was changed between two steps, training continues from it within
    half a spacing.

    When to use:
        If runs should follow those in float32 closely; 8 bits cost 1 byte per parameter.

    Parameters of float32 pass through. It must be the last to change the updates: chain other
    transformations within ``inner``.

    Args:
        inner: the whole method, including its learning rate.
        bits: the number of lost bits kept for each parameter, 8 or 16.

    Raises:
        ValueError: if ``params`` are missing, or ``bits`` is something else.
        TypeError: if parameters have a dtype of 8 bits.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, sgd, split_params
    >>> tx, w = split_params(sgd(1e-3)), jnp.ones(1, jnp.bfloat16)
    >>> state = tx.init(w)
    >>> for _ in range(3):
    ...     updates, state = tx.update(jnp.ones(1), state, w)
    ...     w = apply_updates(w, updates)
    >>> w, state.lost_bits.kept
    (Array([0.996094], dtype=bfloat16), Array([58], dtype=int8))

    Source: J. J. Gonzalez Ortiz, A. Gupta, C. Rinard, D. Blalock, FlashOptim: optimizers for
    memory-efficient training, 2026.
    """
    if bits not in (8, 16):
        raise ValueError(f"bits: the lost bits are kept in 8 or 16, not {bits!r}")
    return narrow_params(inner, split_format(bits))

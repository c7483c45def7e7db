"""Eight bits an element and one scale a group: FlashOptim's companded moments."""

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp

from gdlab.core.export import is_exported
from gdlab.core.forms import stored_form

_SMALLEST_HALF = 2.0**-14
_LARGEST_HALF = 65504.0
_BRAIN = 1 << 15


@stored_form
@is_exported
class Companded(NamedTuple):
    """An array as codes of eight bits, and a scale for each group along the last axis.

    Signed: x = s·t/(2 − |t|) with t = code/127, so that codes lie closer together near 0. Numbers
    that are nowhere negative have codes without a sign, of their roots: x = (s·code/255)².
    """

    is_passed_on = False
    codes: jax.Array
    """int8, or uint8 where nothing is negative; of the shape of the array."""
    scales: jax.Array
    """uint16, one for each group along the last axis."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.codes.shape

    def read(self) -> jax.Array:
        """The array, in float32."""
        scale = _spread(scale_from_bits(self.scales), self.group, self.shape[-1])
        codes = self.codes.astype(jnp.float32)
        if self.codes.dtype == jnp.int8:
            share = codes / 127
            return share / (2 - jnp.abs(share)) * scale
        root = codes / 255 * scale
        # A square that float32 cannot hold must not become the zero that it is not.
        return jnp.where(codes > 0, jnp.maximum(root * root, jnp.finfo(jnp.float32).tiny), 0)

    def write(self, array: jax.Array) -> Self:
        """The same form of another array."""
        encode = _signed if self.codes.dtype == jnp.int8 else _of_roots
        return type(self)(*encode(array.astype(jnp.float32), self.group))

    @property
    def group(self) -> int:
        """The length of a group, a power of two."""
        length, groups, size = self.shape[-1], self.scales.shape[-1], 1
        while -(-length // size) > groups:
            size *= 2
        return size


def companded(array: jax.Array, group: int, is_nonnegative: bool) -> Companded:
    """An array in eight bits, in groups of so many elements along its last axis."""
    encode = _of_roots if is_nonnegative else _signed
    return Companded(*encode(array.astype(jnp.float32), group))


def _signed(x: jax.Array, group: int) -> tuple[jax.Array, jax.Array]:
    scale = _largest(jnp.abs(x), group)
    share = x / _spread(_divisor(scale), group, x.shape[-1])
    codes = jnp.floor(2 * share / (1 + jnp.abs(share)) * 127 + 0.5)
    return jnp.clip(codes, -127, 127).astype(jnp.int8), scale_to_bits(scale)


def _of_roots(x: jax.Array, group: int) -> tuple[jax.Array, jax.Array]:
    root = jnp.sqrt(x)
    scale = _largest(root, group)
    share = root / _spread(_divisor(scale), group, x.shape[-1])
    codes = jnp.clip(jnp.floor(share * 255 + 0.5), 0, 255)
    # What divides must not vanish where it had not.
    return jnp.where(x > 0, jnp.maximum(codes, 1), codes).astype(jnp.uint8), scale_to_bits(scale)


def _divisor(scale: jax.Array) -> jax.Array:
    return jnp.where(scale > 0, scale, 1)


def _largest(size: jax.Array, group: int) -> jax.Array:
    """The largest element of each group along the last axis."""
    length = size.shape[-1]
    missing = -length % group
    if missing:
        size = jnp.pad(size, [(0, 0)] * (size.ndim - 1) + [(0, missing)])
    return jnp.max(size.reshape(*size.shape[:-1], -1, group), -1)


def _spread(scale: jax.Array, group: int, length: int) -> jax.Array:
    """The scale of the group of each element."""
    return jnp.repeat(scale, group, axis=-1)[..., :length]


def scale_to_bits(scale: jax.Array) -> jax.Array:
    """Sixteen bits for a number that is not negative: float16 where that holds it, else bfloat16.

    Scales have no sign, whose bit tells the two apart. So neither large nor small gradients are
    beyond what can be stored, and in between a scale has the digits of float16.
    """
    half = jax.lax.bitcast_convert_type(scale.astype(jnp.float16), jnp.uint16)
    largest = float(jnp.finfo(jnp.bfloat16).max)
    finite = jnp.where(scale < jnp.inf, jnp.minimum(scale, largest), scale)
    brain = jax.lax.bitcast_convert_type(finite.astype(jnp.bfloat16), jnp.uint16)
    is_half = (scale == 0) | ((scale >= _SMALLEST_HALF) & (scale <= _LARGEST_HALF))
    return jnp.where(is_half, half, brain | jnp.uint16(_BRAIN))


def scale_from_bits(bits: jax.Array) -> jax.Array:
    """The number that :func:`scale_to_bits` has put into sixteen bits, as float32."""
    half = jax.lax.bitcast_convert_type(bits, jnp.float16).astype(jnp.float32)
    brain = jax.lax.bitcast_convert_type(bits & jnp.uint16(_BRAIN - 1), jnp.bfloat16)
    return jnp.where(bits < _BRAIN, half, brain.astype(jnp.float32))

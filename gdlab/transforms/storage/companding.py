"""FlashOptim's companded moments: eight bits per element and one scale per group."""

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp

from gdlab.core.export import is_exported
from gdlab.core.forms import stored_form
from gdlab.core.placement import parts_of, pieces, placed, placed_like

_SMALLEST_HALF = 2.0**-14
_LARGEST_HALF = 65504.0
_BRAIN = 1 << 15


@stored_form
@is_exported
class Companded(NamedTuple):
    """An array as codes of eight bits, and a scale for each group along the last axis.

    With a sign, x = s·t/(2 − |t|) with t = code/127, so that codes lie closer together near 0.
    Arrays without negative numbers have unsigned codes of their roots: x = (s·code/255)².
    """

    is_passed_on = False
    codes: jax.Array
    """int8, or uint8 for an array without negative numbers; of the shape of the array."""
    scales: jax.Array
    """uint16, one for each group along the last axis."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.codes.shape

    def read(self) -> jax.Array:
        """The array, in float32."""
        scale = scale_from_bits(self.scales)[..., None]
        codes = _grouped(self.codes, self.group).astype(jnp.float32)
        if self.codes.dtype == jnp.int8:
            share = codes / 127
            return _ungrouped(share / (2 - jnp.abs(share)) * scale, self.codes)
        root = codes / 255 * scale
        # A square too small for float32 must not become zero.
        square = jnp.maximum(root * root, jnp.finfo(jnp.float32).tiny)
        return _ungrouped(jnp.where(codes > 0, square, 0), self.codes)

    def write(self, array: jax.Array) -> Self:
        """Another array in the same form."""
        encode = _signed if self.codes.dtype == jnp.int8 else _of_roots
        new = type(self)(*encode(array.astype(jnp.float32), self.group))
        return jax.tree.map(placed_like, new, self)

    @property
    def group(self) -> int:
        """The length of a group, a power of two."""
        length, groups, size = self.shape[-1], self.scales.shape[-1], 1
        while -(-length // size) > groups:
            size *= 2
        return size


def companded(array: jax.Array, group: int, is_nonnegative: bool) -> Companded:
    """An array in eight bits, with a scale for each ``group`` elements along its last axis."""
    encode = _of_roots if is_nonnegative else _signed
    # Without the barrier XLA would compute the codes of the initial zeros at compile time, slowly.
    array = jax.lax.optimization_barrier(array)
    return Companded(*encode(array.astype(jnp.float32), group))


def _signed(x: jax.Array, group: int) -> tuple[jax.Array, jax.Array]:
    groups = _grouped(x, group)
    scale = jnp.max(jnp.abs(groups), -1)
    share = groups / jnp.where(scale > 0, scale, 1)[..., None]
    codes = jnp.floor(2 * share / (1 + jnp.abs(share)) * 127 + 0.5)
    codes = jnp.clip(codes, -127, 127).astype(jnp.int8)
    return _ungrouped(codes, x), scale_to_bits(scale)


def _of_roots(x: jax.Array, group: int) -> tuple[jax.Array, jax.Array]:
    root = _grouped(jnp.sqrt(x), group)
    scale = jnp.max(root, -1)
    share = root / jnp.where(scale > 0, scale, 1)[..., None]
    codes = jnp.clip(jnp.floor(share * 255 + 0.5), 0, 255)
    # Second moments divide, so those that are not zero must not become zero.
    codes = jnp.where(root > 0, jnp.maximum(codes, 1), codes).astype(jnp.uint8)
    return _ungrouped(codes, x), scale_to_bits(scale)


def _grouped(x: jax.Array, group: int) -> jax.Array:
    """The array with its last axis split into groups; the last group is padded with zeros."""
    *others, last = parts_of(x)
    if x.shape[-1] % (group * pieces(x, last)):
        x = placed(x, [*others, None])  # else a group could lie on two devices
    missing = -x.shape[-1] % group
    if missing:
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])
    return x.reshape(*x.shape[:-1], x.shape[-1] // group, group)


def _ungrouped(x: jax.Array, like: jax.Array) -> jax.Array:
    """The array of the shape of ``like`` with these groups."""
    *axes, groups, group = x.shape
    return placed_like(x.reshape(*axes, groups * group)[..., : like.shape[-1]], like)


def scale_to_bits(scale: jax.Array) -> jax.Array:
    """A nonnegative number in sixteen bits: float16 if it is in range, else bfloat16.

    Scales have no sign, so the sign bit tells the two formats apart. Scales of very large or small
    gradients can be stored, and those in between have the precision of float16.
    """
    half = jax.lax.bitcast_convert_type(scale.astype(jnp.float16), jnp.uint16)
    largest = float(jnp.finfo(jnp.bfloat16).max)
    finite = jnp.where(scale < jnp.inf, jnp.minimum(scale, largest), scale)
    brain = jax.lax.bitcast_convert_type(finite.astype(jnp.bfloat16), jnp.uint16)
    is_half = (scale == 0) | ((scale >= _SMALLEST_HALF) & (scale <= _LARGEST_HALF))
    return jnp.where(is_half, half, brain | jnp.uint16(_BRAIN))


def scale_from_bits(bits: jax.Array) -> jax.Array:
    """The inverse of :func:`scale_to_bits`, as float32."""
    half = jax.lax.bitcast_convert_type(bits, jnp.float16).astype(jnp.float32)
    brain = jax.lax.bitcast_convert_type(bits & jnp.uint16(_BRAIN - 1), jnp.bfloat16)
    return jnp.where(bits < _BRAIN, half, brain.astype(jnp.float32))

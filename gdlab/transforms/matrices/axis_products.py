"""Products of an array with a matrix for each axis, and the blocks that a large one is cut into."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

# Inverse roots amplify the rounding of products, so these are exact to the dtype on every device.
EXACT = jax.lax.Precision.HIGHEST


def gram(u: jax.Array, axis: int) -> jax.Array:
    """The inner products of all slices across an axis.

    M = U·Uᴴ, where the rows of U are the slices: G·Gᴴ of a matrix for axis 0, (Gᴴ·G)ᵀ for axis 1.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.matrices.axis_products import gram
    >>> gram(jnp.array([[1.0, 2.0], [0.0, 1.0]]), 0)
    Array([[5., 2.],
           [2., 1.]], dtype=float32)
    """
    others = [other for other in range(u.ndim) if other != axis]
    return jnp.tensordot(u, u.conj(), axes=(others, others), precision=EXACT)


def along(matrix: jax.Array, u: jax.Array, axis: int) -> jax.Array:
    """The array with each of its fibres along an axis multiplied by a matrix.

    For a matrix U this is M·U along axis 0, and U·Mᵀ along axis 1.
    """
    return jnp.moveaxis(jnp.tensordot(matrix, u, axes=(1, axis), precision=EXACT), 0, axis)


def block_shape(shape: Sequence[int], size: int | None) -> tuple[int, ...]:
    """The shape of the equal blocks with sides of at most ``size`` that cover an array."""
    return tuple(n if not size else -(-n // -(-n // size)) for n in shape)


def cut(u: jax.Array, size: int | None) -> jax.Array:
    """The blocks of an array, one below the other, with zeros where it does not fill the last.

    Args:
        u: an array with elements.
        size: the largest side of a block; None makes one block of the whole.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.matrices.axis_products import cut
    >>> cut(jnp.arange(3.0), 2)
    Array([[0., 1.],
           [2., 0.]], dtype=float32)
    """
    block = block_shape(u.shape, size)
    numbers = [-(-n // side) for n, side in zip(u.shape, block, strict=True)]
    padded = jnp.pad(
        u,
        [(0, k * side - n) for n, k, side in zip(u.shape, numbers, block, strict=True)],
    )
    split = padded.reshape([part for pair in zip(numbers, block, strict=True) for part in pair])
    order = [*range(0, 2 * u.ndim, 2), *range(1, 2 * u.ndim, 2)]
    return split.transpose(order).reshape(math.prod(numbers), *block)


def joined(blocks: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The array of this shape that was cut into ``blocks``."""
    block = blocks.shape[1:]
    numbers = [-(-n // side) for n, side in zip(shape, block, strict=True)]
    order = [place for axis in range(len(shape)) for place in (axis, len(shape) + axis)]
    whole = blocks.reshape(*numbers, *block).transpose(order)
    padded = whole.reshape([k * side for k, side in zip(numbers, block, strict=True)])
    return padded[tuple(slice(n) for n in shape)]

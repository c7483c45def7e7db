"""Products of an array with matrices along its axes, and the blocks of large arrays."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gdlab.core.placement import names_in, parts_of, pieces, placed, whole

# Inverse roots amplify rounding errors, so products need the full precision of the dtype.
EXACT = jax.lax.Precision.HIGHEST


def gram(u: jax.Array, axis: int) -> jax.Array:
    """The Gram matrix of the slices along an axis.

    M = U·Uᴴ, where the rows of U are the slices: G·Gᴴ of a matrix for axis 0, (Gᴴ·G)ᵀ for axis 1.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.matrices.axis_products import gram
    >>> gram(jnp.array([[1.0, 2.0], [0.0, 1.0]]), 0)
    Array([[5., 2.],
           [2., 1.]], dtype=float32)
    """
    others = [other for other in range(u.ndim) if other != axis]
    u = whole(u)
    return jnp.tensordot(u, u.conj(), axes=(others, others), precision=EXACT)


def along(matrix: jax.Array, u: jax.Array, axis: int) -> jax.Array:
    """The product of a matrix with each fibre of an array along an axis.

    For a matrix U this is M·U along axis 0, and U·Mᵀ along axis 1.
    """
    u = placed(u, [None if other == axis else part for other, part in enumerate(parts_of(u))])
    product = jnp.tensordot(whole(matrix), u, axes=(1, axis), precision=EXACT)
    return jnp.moveaxis(product, 0, axis)


def identity_along(like: jax.Array, axis: int) -> jax.Array:
    """The identity matrix of an axis of an array, with rows sharded like the axis.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.matrices.axis_products import identity_along
    >>> identity_along(jnp.zeros((2, 3)), 0)
    Array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    eye = jnp.eye(like.shape[axis], dtype=like.dtype)
    return placed(eye, [parts_of(like)[axis], None])


def block_shape(shape: Sequence[int], size: int | None) -> tuple[int, ...]:
    """The shape of the equal blocks with sides of at most ``size`` that cover an array."""
    return tuple(n if not size else -(-n // -(-n // size)) for n in shape)


def numbers_of_blocks(shape: Sequence[int], block: Sequence[int]) -> list[int]:
    """The number of blocks of a shape along each axis of an array."""
    return [-(-n // side) for n, side in zip(shape, block, strict=True)]


def identities_of_blocks(like: jax.Array, axis: int, size: int | None) -> jax.Array:
    """Identity matrices along an axis, one for each block of an array, stacked.

    If the array is sharded, so are the blocks, if their number allows it, or else the rows of each
    block.
    """
    block = block_shape(like.shape, size)
    number, side = math.prod(numbers_of_blocks(like.shape, block)), block[axis]
    eyes = jnp.broadcast_to(jnp.eye(side, dtype=like.dtype), (number, side, side))
    every = tuple(name for part in parts_of(like) for name in names_in(part))
    if every and number % pieces(like, every) == 0:
        return placed(eyes, [every, None, None])
    own = parts_of(like)[axis]
    return placed(eyes, [None, None if side % pieces(like, own) else own, None])


def cut(u: jax.Array, size: int | None) -> jax.Array:
    """Cut an array into equal blocks, stacked and padded with zeros.

    Args:
        u: an array with elements.
        size: the largest side of a block; None for one block.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.matrices.axis_products import cut
    >>> cut(jnp.arange(3.0), 2)
    Array([[0., 1.],
           [2., 0.]], dtype=float32)
    """
    block = block_shape(u.shape, size)
    numbers = numbers_of_blocks(u.shape, block)
    padded = jnp.pad(
        whole(u),
        [(0, k * side - n) for n, k, side in zip(u.shape, numbers, block, strict=True)],
    )
    split = padded.reshape([part for pair in zip(numbers, block, strict=True) for part in pair])
    order = [*range(0, 2 * u.ndim, 2), *range(1, 2 * u.ndim, 2)]
    return split.transpose(order).reshape(math.prod(numbers), *block)


def joined(blocks: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Join blocks into the array of this shape, the inverse of :func:`cut`."""
    block = blocks.shape[1:]
    numbers = numbers_of_blocks(shape, block)
    order = [place for axis in range(len(shape)) for place in (axis, len(shape) + axis)]
    moved = whole(blocks).reshape(*numbers, *block).transpose(order)
    padded = moved.reshape([k * side for k, side in zip(numbers, block, strict=True)])
    return padded[tuple(slice(n) for n in shape)]

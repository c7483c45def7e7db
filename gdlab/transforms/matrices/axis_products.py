"""Products of an array with a matrix for each axis, and the blocks that a large one is cut into."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gdlab.core.placement import names_in, parts_of, pieces, placed, whole

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
    u = whole(u)
    return jnp.tensordot(u, u.conj(), axes=(others, others), precision=EXACT)


def along(matrix: jax.Array, u: jax.Array, axis: int) -> jax.Array:
    """The array with each of its fibres along an axis multiplied by a matrix.

    For a matrix U this is M·U along axis 0, and U·Mᵀ along axis 1.
    """
    u = placed(u, [None if other == axis else part for other, part in enumerate(parts_of(u))])
    product = jnp.tensordot(whole(matrix), u, axes=(1, axis), precision=EXACT)
    return jnp.moveaxis(product, 0, axis)


def identity_along(like: jax.Array, axis: int) -> jax.Array:
    """The identity of the space in which an axis of an array varies, split by rows as the axis is.

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
    """An identity along an axis for each block of an array, one below the other.

    Where the array is split over devices, so are the blocks, if their number allows it, or the rows
    of each as the axis is.
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
    numbers = numbers_of_blocks(u.shape, block)
    padded = jnp.pad(
        whole(u),
        [(0, k * side - n) for n, k, side in zip(u.shape, numbers, block, strict=True)],
    )
    split = padded.reshape([part for pair in zip(numbers, block, strict=True) for part in pair])
    order = [*range(0, 2 * u.ndim, 2), *range(1, 2 * u.ndim, 2)]
    return split.transpose(order).reshape(math.prod(numbers), *block)


def joined(blocks: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The array of this shape that was cut into ``blocks``."""
    block = blocks.shape[1:]
    numbers = numbers_of_blocks(shape, block)
    order = [place for axis in range(len(shape)) for place in (axis, len(shape) + axis)]
    moved = whole(blocks).reshape(*numbers, *block).transpose(order)
    padded = moved.reshape([k * side for k, side in zip(numbers, block, strict=True)])
    return padded[tuple(slice(n) for n in shape)]

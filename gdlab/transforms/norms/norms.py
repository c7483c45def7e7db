"""Norms that neither overflow nor vanish: of an array, along axes, of units, of a tree."""

import jax
import jax.numpy as jnp

from gdlab.core.numerics import arrays_only, common_dtype, dtype_like, safe_sqrt, widen
from gdlab.core.structure import Tree

Axes = int | tuple[int, ...] | None
"""Axes of an array; None leaves them to a convention."""


def norm(
    x: jax.Array,
    ord: float = 2,
    axis: Axes = None,
    *,
    keepdims: bool = False,
    ignore_nan: bool = False,
) -> jax.Array:
    """The p-norm of an array, or of its parts along some axes, in float32 at least.

    ‖x‖ₚ = (Σᵢ|xᵢ|ᵖ)^(1/p), computed as s·‖x/s‖ₚ with s a power of two near the largest |xᵢ|

    It is right wherever the norm itself can be represented. Its derivative at zero is zero, and
    the norm of no elements is 0.

    Args:
        x: an array of real or complex numbers.
        ord: p, at least 1; ``jnp.inf`` for the largest modulus.
        axis: the axes that it runs over; all of them unless given.
        keepdims: whether these stay as axes of length one.
        ignore_nan: whether a NaN counts as 0.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.norms.norms import norm
    >>> norm(jnp.array([[3e30, 4e30], [0.0, 0.0]]), axis=1)
    Array([5.e+30, 0.e+00], dtype=float32)
    """
    size = jnp.abs(widen(x))
    if ignore_nan:
        size = jnp.where(jnp.isnan(size), 0, size)
    largest = jnp.max(size, axis, keepdims=True, initial=0)
    length = jnp.where(largest == 0, 0, largest)
    if ord != jnp.inf:
        unit = _power_of_two_near(jax.lax.stop_gradient(largest))
        total = jnp.sum((size / unit) ** ord, axis, keepdims=True)
        length = jnp.where(jnp.isinf(largest), largest, unit * _root(total, ord))
    return length if keepdims else jnp.squeeze(length, axis)


def _power_of_two_near(largest: jax.Array) -> jax.Array:
    """A unit by which to divide without rounding; 1 where there is nothing to measure."""
    measurable = (largest > 0) & jnp.isfinite(largest)
    _, exponent = jnp.frexp(jnp.where(measurable, largest, 1))
    # At the ends of the range the power itself or its inverse would be no normal number.
    ends = jnp.finfo(largest.dtype)
    exponent = jnp.clip(exponent, ends.minexp + 2, ends.maxexp - 2)
    return jnp.ldexp(jnp.ones_like(largest), exponent)


def _root(total: jax.Array, ord: float) -> jax.Array:
    if ord == 2:
        return safe_sqrt(total)
    vanishes = total == 0
    return jnp.where(vanishes, 0, jnp.where(vanishes, 1, total) ** (1 / ord))


def rms(
    x: jax.Array, axis: Axes = None, *, keepdims: bool = False, ignore_nan: bool = False
) -> jax.Array:
    """The root of the mean square of an array, or of its parts along some axes.

    rms(x) = ‖x‖/√n, and 0 where there are no elements

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.norms.norms import rms
    >>> rms(jnp.array([3e30, -3e30]))
    Array(3.e+30, dtype=float32)
    """
    length = norm(x, 2, axis, keepdims=keepdims, ignore_nan=ignore_nan)
    return length / max(x.size // max(length.size, 1), 1) ** 0.5


@jax.jit
def global_norm(tree: Tree) -> jax.Array:
    """The Euclidean norm of all elements of a tree, computed in float32 at least.

    ‖g‖ = √Σᵢ|gᵢ|²

    Squares neither overflow nor vanish, and its derivative at zero is zero.

    >>> import jax.numpy as jnp
    >>> from gdlab import global_norm
    >>> global_norm({"a": jnp.array([3.0]), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """
    return tree_norm(arrays_only(tree))


def tree_norm(tree: Tree, ord: float = 2, *, ignore_nan: bool = False) -> jax.Array:
    """The p-norm of all elements of a tree of arrays: the norm of the norms of its leaves.

    Args:
        tree: a pytree of arrays.
        ord: p, as for :func:`norm`.
        ignore_nan: whether a NaN counts as 0.
    """
    leaves = [widen(leaf) for leaf in jax.tree.leaves(tree)]
    widest = common_dtype(leaves)

    def of_norms():
        # All this is computed here and not before: what is handed into a branch has to be stored.
        each = [
            norm(leaf.astype(dtype_like(leaf, widest)), ord, ignore_nan=ignore_nan)
            for leaf in leaves
        ]
        return norm(jnp.array([*each, 0], widest), ord)

    if ord != 2:
        return of_norms()
    squares = (jnp.sum(jnp.abs(leaf).astype(widest) ** 2) for leaf in leaves)
    plain = safe_sqrt(sum(squares, jnp.zeros((), widest)))
    smallest = float(jnp.finfo(widest).tiny) ** 0.25
    measured = (plain > smallest) & jnp.isfinite(plain)
    return jax.lax.cond(measured, lambda: plain, of_norms)


def unitwise_norm(x: jax.Array, axis: Axes = None) -> jax.Array:
    """The Euclidean norm of each unit of an array, in the shape of the array.

    A unit is what feeds one output. The kernels of JAX have their outputs last: (in, out) of a
    dense layer, (height, width, in, out) of a convolution. So a unit spans all axes but the last
    one. An array with one axis longer than 1 at most, such as a bias, is one unit.

    Args:
        x: an array.
        axis: the axes that a unit spans, where they are others. optax takes arrays with three axes
            to be (in, heads, out) and norms over the first: ``axis=0`` here.

    >>> import jax.numpy as jnp
    >>> from gdlab import unitwise_norm
    >>> unitwise_norm(jnp.array([[3.0, 1.0], [4.0, 0.0]]))
    Array([[5., 1.],
           [5., 1.]], dtype=float32)

    Source: A. Brock, S. De, S. L. Smith, K. Simonyan, High-performance large-scale image
    recognition without normalization, 2021, section 4.1.
    """
    if axis is None:
        is_one_unit = sum(length > 1 for length in x.shape) <= 1
        axis = None if is_one_unit else tuple(range(x.ndim - 1))
    return jnp.broadcast_to(norm(x, 2, axis, keepdims=True), x.shape)

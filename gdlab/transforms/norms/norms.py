"""Norms that neither overflow nor vanish: of an array, along axes, of units, of a tree."""

import functools
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.kinds import Kind
from gdlab.checks.values import is_whole_number
from gdlab.core.numerics import arrays_only, cast, common_dtype, dtype_like, safe_sqrt, widen
from gdlab.core.placement import placed_like
from gdlab.core.rarely import rarely
from gdlab.core.structure import Function, Tree


def _is_axes(value: object) -> bool:
    axes = value if isinstance(value, tuple) else (value,)
    return all(map(is_whole_number, axes)) and len(set(axes)) == len(axes)


Axes: TypeAlias = Annotated[
    int | tuple[int, ...] | None,
    Kind(
        "an axis, a tuple of different axes, or None",
        lambda value: value is None or _is_axes(value),
        lambda value: isinstance(value, tuple),
    ),
]
"""Axes of an array; what None means is said by each function."""


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

    It neither overflows nor underflows if the norm itself can be represented. Its derivative at
    zero is zero, and the norm of an array without elements is 0.

    Args:
        x: an array of real or complex numbers.
        ord: p, at least 1; ``jnp.inf`` for the largest modulus.
        axis: the axes over which the norm is taken; all of them unless given.
        keepdims: whether these axes stay, with length one.
        ignore_nan: whether a NaN counts as 0.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.norms.norms import norm
    >>> norm(jnp.array([[3e30, 4e30], [0.0, 0.0]]), axis=1)
    Array([5.e+30, 0.e+00], dtype=float32)
    """
    length = (_norm_of_numbers if ignore_nan else _scaled_norm)(widen(x), ord, axis)
    return length if keepdims else jnp.squeeze(length, axis)


@functools.partial(jax.jit, static_argnums=(1, 2), static_argnames="passes_over_nan")
def _scaled_norm(
    x: jax.Array, ord: float, axis: Axes, *, passes_over_nan: bool = False
) -> jax.Array:
    """The norm along axes, which are kept with length one."""
    maximum = _largest_number if passes_over_nan else _largest
    total = _sum_of_numbers if passes_over_nan else _sum
    largest = maximum(jnp.abs(x), axis)
    length = jnp.where(largest == 0, 0, largest)
    if ord == jnp.inf:
        return length
    unit = _power_of_two_near(largest)
    # For a real array each reduction computes |x| itself: a shared |x| would be stored on a CPU.
    size = jnp.abs(x) / unit if jnp.iscomplexobj(x) else jnp.abs(x / unit)
    root = _root(total(size**ord, axis), ord)
    return jnp.where(jnp.isinf(largest), largest, unit * root)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _norm_of_numbers(x: jax.Array, ord: float, axis: Axes) -> jax.Array:
    """The norm with NaNs counted as 0, which is slow and needed only for arrays with NaNs."""
    length = _scaled_norm(x, ord, axis)
    return rarely(
        jnp.any(jnp.isnan(length)),
        lambda: _scaled_norm(x, ord, axis, passes_over_nan=True),
        lambda: length,
    )


@_norm_of_numbers.defjvp
def _norm_of_numbers_jvp(
    ord: float, axis: Axes, primals: Tree, tangents: Tree
) -> tuple[Tree, Tree]:
    return jax.jvp(lambda x: _scaled_norm(_numbers(x), ord, axis), primals, tangents)


def _numbers(x: jax.Array) -> jax.Array:
    return jnp.where(jnp.isnan(x), 0, x)


def _largest(size: jax.Array, axis: Axes) -> jax.Array:
    return jnp.max(size, axis, keepdims=True, initial=0)


def _sum(x: jax.Array, axis: Axes) -> jax.Array:
    return jnp.sum(x, axis, keepdims=True)


# XLA's CPU compiler turns a sum or a maximum into a library call, and stores its operand
# if that contains a select. A reduction of two arrays at once is fused with their computation.


def _largest_number(size: jax.Array, axis: Axes) -> jax.Array:
    """The largest of some moduli that are not NaN; 0 if there are none."""

    def larger(one, other):
        return jnp.maximum(one[0], other[0]), one[1] | other[1]

    largest, any_number = _reduced((_numbers(size), ~jnp.isnan(size)), larger, axis)
    return jnp.where(any_number, largest, 0)


def _sum_of_numbers(x: jax.Array, axis: Axes) -> jax.Array:
    """The sum of numbers from 0 to 1, leaving out NaNs.

    The numbers are added one after the other, which would no longer change a float32 sum of 2²⁴. So
    the sum is moved, in thousands, into a second sum.
    """

    def added(one, other):
        few, many = one[0] + other[0], one[1] + other[1]
        moves = few >= 2**12
        return jnp.where(moves, 0, few), many + jnp.where(moves, few, 0)

    few, many = _reduced((_numbers(x), jnp.zeros_like(x)), added, axis)
    return few + many


def _reduced(arrays: Sequence[jax.Array], join: Function, axis: Axes) -> list[jax.Array]:
    """Arrays of one shape, reduced together along axes, which are kept with length one."""
    shape = arrays[0].shape
    axes = range(len(shape)) if axis is None else np.ravel(axis).tolist()
    axes = tuple(sorted(axis % len(shape) for axis in axes))
    starts = [jnp.zeros((), array.dtype) for array in arrays]
    found = jax.lax.reduce(tuple(arrays), tuple(starts), join, axes)
    return [jnp.expand_dims(array, axes) for array in found]


def _power_of_two_near(largest: jax.Array) -> jax.Array:
    """A power of two near a number, to divide by without rounding; 1 for 0, infinity and NaN."""
    measurable = (largest > 0) & jnp.isfinite(largest)
    # At the ends of the range the power itself or its inverse would not be a normal number.
    ends = jnp.finfo(largest.dtype)
    within = jnp.clip(largest, 2.0 ** (ends.minexp + 2), 2.0 ** (ends.maxexp - 2))
    # A number whose mantissa is cut to no bits is a power of two.
    return jax.lax.reduce_precision(jnp.where(measurable, within, 1), int(ends.nexp), 0)


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


def global_norm(tree: Tree) -> jax.Array:
    """The Euclidean norm of all elements of a tree, computed in at least float32.

    ‖g‖ = √Σᵢ|gᵢ|²

    Squares neither overflow nor vanish, and its derivative at zero is zero.

    Args:
        tree: a pytree of arrays; leaves that are not arrays, such as a module's functions, are
            ignored.

    Returns:
        A scalar, 0 for a tree without leaves.

    Raises:
        TypeError: if the tree has leaves, and none of them is an array.

    >>> import jax.numpy as jnp
    >>> from gdlab import global_norm
    >>> global_norm({"a": jnp.array([3.0]), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """
    arrays = arrays_only(tree)
    if not jax.tree.leaves(arrays) and jax.tree.leaves(tree):
        raise TypeError(f"global_norm: tree must be a tree of arrays, not {tree!r}")
    return _compiled_tree_norm(arrays)


def tree_norm(tree: Tree, ord: float = 2, *, ignore_nan: bool = False) -> jax.Array:
    """The p-norm of all elements of a tree of arrays: the norm of the norms of its leaves.

    Args:
        tree: a pytree of arrays.
        ord: p, as for :func:`norm`.
        ignore_nan: whether a NaN counts as 0.
    """
    leaves = [widen(leaf) for leaf in jax.tree.leaves(tree)]
    return (_tree_norm_of_numbers if ignore_nan else _tree_norm)(leaves, ord)


_compiled_tree_norm = jax.jit(tree_norm)


def _tree_norm(leaves: list[jax.Array], ord: float, *, passes_over_nan: bool = False) -> jax.Array:
    if ord != 2:
        return _norm_of_norms(leaves, ord, passes_over_nan)
    widest = common_dtype(leaves)
    squares = (jnp.sum(jnp.abs(leaf).astype(widest) ** 2) for leaf in leaves)
    plain = safe_sqrt(sum(squares, jnp.zeros((), widest)))
    smallest = float(jnp.finfo(widest).tiny) ** 0.25
    measured = (plain > smallest) & jnp.isfinite(plain)

    # An argument of a branch has to be stored, so the branches compute all that they need.
    def again() -> jax.Array:
        over_nan = lambda: _norm_of_norms(leaves, ord, True)  # noqa: E731
        with_nan = lambda: _norm_of_norms(leaves, ord, False)  # noqa: E731
        return rarely(jnp.isnan(plain), over_nan, with_nan) if passes_over_nan else with_nan()

    return rarely(~measured, again, lambda: plain)


def _norm_of_norms(leaves: list[jax.Array], ord: float, passes_over_nan: bool) -> jax.Array:
    widest = common_dtype(leaves)
    each = [
        jnp.ravel(
            _scaled_norm(
                cast(leaf, dtype_like(leaf, widest)), ord, None, passes_over_nan=passes_over_nan
            )
        )
        for leaf in leaves
    ]
    return norm(jnp.concatenate([*each, jnp.zeros(1, widest)]), ord)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _tree_norm_of_numbers(leaves: list[jax.Array], ord: float) -> jax.Array:
    return _tree_norm(leaves, ord, passes_over_nan=True)


@_tree_norm_of_numbers.defjvp
def _tree_norm_of_numbers_jvp(ord: float, primals: Tree, tangents: Tree) -> tuple[Tree, Tree]:
    return jax.jvp(lambda leaves: _tree_norm(list(map(_numbers, leaves)), ord), primals, tangents)


def require_axis(axis: int | tuple[int, ...] | None, shape: tuple[int, ...]) -> None:
    """Raise unless the axes are different axes of an array of this shape.

    Raises:
        ValueError: with the axes and the shape.
    """
    axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
    own = [one % len(shape) for one in axes if -len(shape) <= one < len(shape)]
    if len(set(own)) < len(axes):
        raise ValueError(f"axis must be different axes of an array of shape {shape}, not {axis}")


def unitwise_norm(x: jax.Array, axis: Axes = None) -> jax.Array:
    """The Euclidean norm of each unit of an array, in the shape of the array.

    A unit is the set of weights that feed one output. Kernels in JAX have their outputs last: (in,
    out) for a dense layer, (height, width, in, out) for a convolution. So a unit spans all axes but
    the last. An array with at most one axis longer than 1, such as a bias, is one unit.

    Args:
        x: an array.
        axis: the axes that a unit spans, if not these. optax reads arrays with three axes as (in,
            heads, out) and takes the norm over the first: ``axis=0`` here.

    >>> import jax.numpy as jnp
    >>> from gdlab import unitwise_norm
    >>> unitwise_norm(jnp.array([[3.0, 1.0], [4.0, 0.0]]))
    Array([[5., 1.],
           [5., 1.]], dtype=float32)

    Source: A. Brock, S. De, S. L. Smith, K. Simonyan, High-performance large-scale image
    recognition without normalization, 2021, section 4.1.
    """
    if not hasattr(x, "shape"):
        raise TypeError(f"x must be an array, not {x!r}")
    require_axis(axis, x.shape)
    if axis is None:
        is_one_unit = sum(length > 1 for length in x.shape) <= 1
        axis = None if is_one_unit else tuple(range(x.ndim - 1))
    return placed_like(jnp.broadcast_to(norm(x, 2, axis, keepdims=True), x.shape), x)

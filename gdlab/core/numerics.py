"""The dtypes of computations, and arithmetic that is safe at zeros, NaNs and overflow."""

import contextlib
import functools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.structure import DType, Leaf, Number, Tree

_ARRAYS = (jax.Array, np.ndarray, np.generic, float, int, complex)


def is_array(leaf: Leaf) -> bool:
    """Tell whether a leaf is an array or a number; ``None``, functions and float0 arrays are not.

    Raises:
        TypeError: if the leaf is an array of objects or strings, which would otherwise be treated
            like a function: as a leaf that is not trained.
    """
    if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer):
        return True  # the most frequent case outside of a trace, where each call costs time
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSU":
        raise TypeError(f"an array of numbers is needed, not {leaf!r}")
    # Only float0 arrays have an item size of 0.
    return isinstance(leaf, _ARRAYS) and getattr(getattr(leaf, "dtype", None), "itemsize", 1) > 0


def arrays_only(tree: Tree) -> Tree:
    """The tree with ``None`` for the leaves that are not arrays, such as a module's functions."""
    if all(map(is_array, jax.tree.leaves(tree))):
        return tree
    return jax.tree.map(lambda leaf: leaf if is_array(leaf) else None, tree)


def arrays_and_shapes_only(tree: Tree) -> Tree:
    """The tree with ``None`` for leaves that are neither arrays nor ``jax.ShapeDtypeStruct``."""
    is_shape = lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct) or is_array(leaf)  # noqa: E731
    return jax.tree.map(lambda leaf: leaf if is_shape(leaf) else None, tree)


def dtypes_of(leaves: Iterable[Leaf]) -> set[Any]:
    """The set of dtypes of some leaves; a Python number is represented by its type.

    A tree has hundreds of leaves and few dtypes, so checks of dtypes run over this set.
    """
    found = set()
    for leaf in leaves:
        found.add(getattr(leaf, "dtype", type(leaf)))
    return found


def common_dtype(leaves: Iterable[Leaf]) -> np.dtype:
    """The real dtype in which a tree is computed: the widest of its arrays, at least float32."""
    widest = np.dtype(np.float32)
    for dtype in dtypes_of(leaves):
        if (
            isinstance(dtype, np.dtype)
            and dtype.itemsize > 4
            and jnp.issubdtype(dtype, jnp.inexact)
        ):
            real = jnp.finfo(dtype).dtype
            widest = real if real.itemsize > widest.itemsize else widest
    return widest


def promoting_complex(leaves: Iterable[Leaf]) -> contextlib.AbstractContextManager[None]:
    """A context in which real numbers are promoted to complex if any leaf is complex.

    Learning rates and second moments are real even if the gradient is complex, which JAX refuses to
    combine under ``jax_numpy_dtype_promotion="strict"``. Without complex leaves the context does
    nothing.
    """
    for dtype in dtypes_of(leaves):
        if jnp.issubdtype(dtype, jnp.complexfloating):
            return jax.numpy_dtype_promotion("standard")
    return contextlib.nullcontext()


def dtype_like(leaf: Leaf, real: np.dtype) -> np.dtype:
    """``real``, or the complex dtype of the same precision if ``leaf`` is complex."""
    if not jnp.iscomplexobj(leaf):
        return real
    return np.dtype(np.complex128 if real.itemsize == 8 else np.complex64)


def storage_dtype(like: Leaf, dtype: DType | None) -> DType:
    """The dtype in which an array like ``like`` is stored if a user asked for ``dtype``.

    It is ``dtype`` or, for a complex array, the complex dtype of the same precision; and the dtype
    of ``like`` if ``dtype`` is None.

    Raises:
        TypeError: if ``like`` is complex, and no complex dtype has the precision of ``dtype``.
    """
    if dtype is None:
        return like.dtype if hasattr(like, "dtype") else jnp.result_type(like)
    if not jnp.iscomplexobj(like):
        return dtype
    real = np.dtype(dtype)
    if real.itemsize < 4:
        raise _not_complex(real)
    return dtype_like(like, real)


def _not_complex(dtype: np.dtype) -> TypeError:
    return TypeError(f"complex numbers cannot be stored as {dtype.name}")


def is_inexact(leaf: Leaf) -> bool:
    """Tell whether a leaf is an array of floating-point or complex numbers."""
    return is_array(leaf) and jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)


def trained(params: Tree) -> Tree:
    """The real and complex floating-point arrays of a tree, in float32 at least; None elsewhere."""
    return jax.tree.map(lambda w: _widen_leaf(w) if is_inexact(w) else None, params)


def cast(leaf: Leaf, dtype: DType) -> jax.Array:
    """``leaf`` as a strongly typed array of ``dtype``."""
    if isinstance(leaf, jax.Array) and leaf.dtype == dtype and not leaf.aval.weak_type:
        return leaf
    if jnp.iscomplexobj(leaf) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise _not_complex(np.dtype(dtype))
    return jax.lax.convert_element_type(jnp.asarray(leaf), np.dtype(dtype))


def widen(tree: Tree) -> Tree:
    """The tree with its low-precision leaves cast to float32, the dtype of their arithmetic."""
    return jax.tree.map(_widen_leaf, tree)


def _widen_leaf(leaf: Leaf) -> Leaf:
    dtype = getattr(leaf, "dtype", None)
    low = dtype is not None and dtype.itemsize < 4 and jnp.issubdtype(dtype, jnp.inexact)
    return cast(leaf, jnp.float32) if low else leaf


def strong(tree: Tree) -> Tree:
    """The arrays of ``tree`` without weak types, so that a state is the same after each step."""
    return jax.tree.map(
        lambda leaf: cast(leaf, jnp.result_type(leaf)) if is_array(leaf) else leaf, tree
    )


def distinct(state: Tree, params: Tree) -> Tree:
    """A copy of the state, if need be, that shares no array with itself or with the parameters.

    State and parameters can then both be donated to a compiled function.
    """
    seen = set(map(id, jax.tree.leaves(params)))

    def unshared(leaf: Leaf) -> Leaf:
        if not isinstance(leaf, jax.Array) or isinstance(leaf, Tracer):
            return leaf
        if id(leaf) in seen:
            leaf = jnp.copy(leaf)
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(unshared, state)


def cast_like(new: Tree, old: Tree) -> Tree:
    """Cast new values to the dtypes of the old ones, so that a scan can carry them."""
    return jax.tree.map(
        lambda leaf, before: cast(leaf, before.dtype) if is_array(before) else leaf, new, old
    )


def numbers_as(tree: Tree, dtype: np.dtype) -> Tree:
    """Convert the numbers in a tree to one real dtype, so that ``1 - decay`` rounds like ``decay``.

    A Python float becomes a NumPy scalar, not a JAX array, so that a rule can branch on its value.
    """
    constant = dtype.type

    def number_as(number: Leaf) -> Leaf:
        if isinstance(number, float):
            return constant(number)
        # A value without a dtype is structure by leaf, such as the letters of matrix axes.
        own = getattr(number, "dtype", None)
        is_real = own is not None and jnp.issubdtype(own, jnp.floating)
        return cast(number, dtype) if is_real else number

    return jax.tree.map(number_as, tree)


@jax.custom_jvp
def safe_sqrt(x: jax.Array) -> jax.Array:
    """√x, with the derivative 0 instead of ∞ at 0."""
    return jnp.sqrt(x)


@safe_sqrt.defjvp
def _safe_sqrt_jvp(primals: Tree, tangents: Tree) -> Tree:
    root = safe_sqrt(*primals)
    positive = root > 0
    slope = jnp.where(positive, 0.5 / jnp.where(positive, root, 1), 0)
    return root, slope * tangents[0]


def safe_divide(numerator: jax.Array, denominator: jax.Array, at_least: Number = 0.0) -> jax.Array:
    """The quotient; where the denominator is not positive, 0 with zero derivatives.

    Where the denominator is NaN, the quotient is NaN as well.

    Args:
        numerator: the dividend.
        denominator: the divisor.
        at_least: a lower bound of the divisor. If it is known to be positive, the check for zeros
            is left out.
    """
    if not isinstance(at_least, jax.Array) and at_least > 0:
        return numerator / denominator
    return _guarded_quotient(numerator, denominator)


@jax.custom_jvp
def _guarded_quotient(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    vanishes = denominator <= 0
    return jnp.where(vanishes, 0, numerator / jnp.where(vanishes, 1, denominator))


@_guarded_quotient.defjvp
def _guarded_quotient_jvp(primals: Tree, tangents: Tree) -> Tree:
    numerator, denominator = primals
    quotient = _guarded_quotient(numerator, denominator)
    vanishes = denominator <= 0
    inverse = jnp.where(vanishes, 0, 1 / jnp.where(vanishes, 1, denominator))
    return quotient, inverse * (tangents[0] - quotient * tangents[1])


@functools.cache
def _largest_to_square(dtype: np.dtype) -> np.floating:
    """The modulus to which :func:`squarable` clips: the sum of 2²⁸ such squares is finite."""
    return dtype.type(2.0 ** ((np.finfo(dtype).maxexp - 28) // 2))


def squarable(x: jax.Array) -> jax.Array:
    """``x`` with each modulus clipped to 2⁵⁰ (float64: 2⁴⁹⁸).

    The squares of larger elements, or sums of these squares, could overflow. Infinite elements are
    clipped too; NaN stays NaN.

    >>> import jax.numpy as jnp
    >>> from gdlab.core.numerics import squarable
    >>> squarable(jnp.array([-1e30, 2.0]))
    Array([-1.1258999e+15,  2.0000000e+00], dtype=float32)
    """
    if not jnp.iscomplexobj(x):
        # A single operation, since XLA would store the result of several that two kernels read.
        largest = _largest_to_square(x.dtype)
        return jax.lax.clamp(-largest, x, largest)
    size = jnp.abs(x)
    largest = _largest_to_square(size.dtype)
    is_too_large = size > largest
    return jnp.where(is_too_large, x * (largest / jnp.where(is_too_large, size, 1)), x)


def exceeds_squarable(x: jax.Array) -> jax.Array:
    """Tell of each element whether :func:`squarable` would change it."""
    size = jnp.abs(x)
    return size > _largest_to_square(size.dtype)


def abs_squared(x: jax.Array) -> jax.Array:
    """|x|², which is real for complex x too."""
    return (x.conj() * x).real if jnp.iscomplexobj(x) else x * x


def safe_increment(count: jax.Array) -> jax.Array:
    """``count + 1``, except that the largest integer is kept instead of wrapping around."""
    return jnp.where(count < jnp.iinfo(count.dtype).max, count + 1, count)

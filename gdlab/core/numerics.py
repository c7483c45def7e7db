"""The dtypes of computations, and arithmetic that survives zeros and NaNs."""

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
    """Tell whether a leaf takes part in the arithmetic; ``None``, functions and float0 do not.

    Raises:
        TypeError: if it is an array of objects or of texts, which would otherwise pass for
            something that is not trained.
    """
    if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer):
        return True  # as most are that are asked about outside of a trace, where each call counts
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSU":
        raise TypeError(f"an array of numbers is needed, not {leaf!r}")
    # No array but one of float0 has elements of no size.
    return isinstance(leaf, _ARRAYS) and getattr(getattr(leaf, "dtype", None), "itemsize", 1) > 0


def arrays_only(tree: Tree) -> Tree:
    """The tree with ``None`` for the leaves that are not arrays, such as a module's functions."""
    if all(map(is_array, jax.tree.leaves(tree))):
        return tree
    return jax.tree.map(lambda leaf: leaf if is_array(leaf) else None, tree)


def arrays_and_shapes_only(tree: Tree) -> Tree:
    """The tree with ``None`` for what is neither an array nor a ``jax.ShapeDtypeStruct``."""
    is_shape = lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct) or is_array(leaf)  # noqa: E731
    return jax.tree.map(lambda leaf: leaf if is_shape(leaf) else None, tree)


def dtypes_of(leaves: Iterable[Leaf]) -> set[Any]:
    """The different dtypes of some leaves; a Python number is there with its type.

    A tree has hundreds of leaves and few dtypes, so what depends on dtypes looks at each once.
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
    """A context in which real numbers may meet complex arrays, even where JAX is told to be strict.

    Rates and second moments are real whatever the gradient is. Without complex arrays nothing is
    promoted, and JAX may refuse to.
    """
    for dtype in dtypes_of(leaves):
        if jnp.issubdtype(dtype, jnp.complexfloating):
            return jax.numpy_dtype_promotion("standard")
    return contextlib.nullcontext()


def dtype_like(leaf: Leaf, real: np.dtype) -> np.dtype:
    """``real``, or its complex companion where ``leaf`` is complex."""
    if not jnp.iscomplexobj(leaf):
        return real
    return np.dtype(np.complex128 if real.itemsize == 8 else np.complex64)


def storage_dtype(like: Leaf, dtype: DType | None) -> DType:
    """The dtype in which an array like ``like`` is stored where a user has asked for ``dtype``.

    That is its own dtype where no other was asked for.

    Raises:
        TypeError: if ``like`` is complex, and the dtype has no complex companion.
    """
    if dtype is None:
        return like.dtype
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
    """The parameters in float32 at least, with None for what is no array of fractions."""
    return jax.tree.map(lambda w: _widen_leaf(w) if is_inexact(w) else None, params)


def cast(leaf: Leaf, dtype: DType) -> jax.Array:
    """``leaf`` as a strongly typed array of ``dtype``."""
    if isinstance(leaf, jax.Array) and leaf.dtype == dtype and not leaf.aval.weak_type:
        return leaf
    if jnp.iscomplexobj(leaf) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise _not_complex(np.dtype(dtype))
    return jax.lax.convert_element_type(jnp.asarray(leaf), np.dtype(dtype))


def widen(tree: Tree) -> Tree:
    """Low-precision leaves as float32, in which all arithmetic happens."""
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
    """A state none of whose arrays is a parameter or stands twice: both can then be donated."""
    seen = set(map(id, jax.tree.leaves(params)))

    def own(leaf: Leaf) -> Leaf:
        if not isinstance(leaf, jax.Array) or isinstance(leaf, Tracer):
            return leaf
        if id(leaf) in seen:
            leaf = jnp.copy(leaf)
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(own, state)


def as_before(new: Tree, old: Tree) -> Tree:
    """New values in the dtypes of the old ones, so that they can be carried through a scan."""
    return jax.tree.map(
        lambda leaf, before: cast(leaf, before.dtype) if is_array(before) else leaf, new, old
    )


def numbers_as(tree: Tree, dtype: np.dtype) -> Tree:
    """Convert the numbers in a tree to one real dtype, so that ``1 - decay`` rounds like ``decay``.

    A Python float becomes a NumPy scalar and no array: a constant that a rule can look at.
    """
    constant = dtype.type

    def number_as(number: Leaf) -> Leaf:
        if isinstance(number, float):
            return constant(number)
        # What has no dtype is structure of a leaf, such as the letters of its axes.
        own = getattr(number, "dtype", None)
        is_real = own is not None and jnp.issubdtype(own, jnp.floating)
        return cast(number, dtype) if is_real else number

    return jax.tree.map(number_as, tree)


@jax.custom_jvp
def safe_sqrt(x: jax.Array) -> jax.Array:
    """√x whose derivative at 0 is 0 and not infinite."""
    return jnp.sqrt(x)


@safe_sqrt.defjvp
def _safe_sqrt_jvp(primals: Tree, tangents: Tree) -> Tree:
    root = safe_sqrt(*primals)
    positive = root > 0
    slope = jnp.where(positive, 0.5 / jnp.where(positive, root, 1), 0)
    return root, slope * tangents[0]


def safe_divide(numerator: jax.Array, denominator: jax.Array, at_least: Number = 0.0) -> jax.Array:
    """The quotient, or 0 with zero derivatives where the denominator is not positive.

    A denominator that is NaN is no zero: there the quotient is NaN as well.

    Args:
        numerator: the dividend.
        denominator: the divisor.
        at_least: what the divisor cannot fall below. Where that is known to be positive, no guard
            is compiled.
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
    """The largest modulus that is squared: a sum of 2²⁸ such squares is still finite."""
    return dtype.type(2.0 ** ((np.finfo(dtype).maxexp - 28) // 2))


def squarable(x: jax.Array) -> jax.Array:
    """``x`` with each modulus above 2⁵⁰ (float64: 2⁴⁹⁸) brought down to that.

    The squares of larger elements, or the sums of these squares, could be infinite. What is
    infinite itself counts as large, and a NaN stays one.

    >>> import jax.numpy as jnp
    >>> from gdlab.core.numerics import squarable
    >>> squarable(jnp.array([-1e30, 2.0]))
    Array([-1.1258999e+15,  2.0000000e+00], dtype=float32)
    """
    if not jnp.iscomplexobj(x):
        # One operation: XLA stores the result of several where two kernels read it.
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
    """|x|², real for complex x as well."""
    return (x.conj() * x).real if jnp.iscomplexobj(x) else x * x


def safe_increment(count: jax.Array) -> jax.Array:
    """count + 1, which stays at the largest integer instead of wrapping round."""
    return jnp.where(count < jnp.iinfo(count.dtype).max, count + 1, count)

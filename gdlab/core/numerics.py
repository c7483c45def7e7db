"""In which dtype things are computed, and arithmetic that survives zeros and NaNs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

_ARRAYS = (jax.Array, np.ndarray, np.generic, float, int, complex)


def is_array(leaf: Any) -> bool:
    """Whether a leaf takes part in the arithmetic; ``None`` and, say, functions do not."""
    return isinstance(leaf, _ARRAYS)


def compute_dtype(leaf: Any) -> Any:
    """The dtype in which arithmetic on ``leaf`` happens: its own, and at least float32."""
    dtype = jnp.result_type(leaf)
    if jnp.issubdtype(dtype, jnp.inexact) and dtype.itemsize >= 4:
        return dtype
    return np.dtype(jnp.float32)


def real_dtype(dtype: Any) -> Any:
    """The dtype of the real part."""
    return jnp.finfo(dtype).dtype


def cast(leaf: Any, dtype: Any) -> jax.Array:
    """``leaf`` as a strongly typed array of ``dtype``."""
    if isinstance(leaf, jax.Array) and leaf.dtype == dtype and not leaf.aval.weak_type:
        return leaf
    if jnp.iscomplexobj(leaf) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(f"complex numbers cannot be stored as {np.dtype(dtype).name}")
    return jax.lax.convert_element_type(jnp.asarray(leaf), np.dtype(dtype))


def widen(tree: Any) -> Any:
    """Low-precision leaves as float32, in which all arithmetic happens."""
    return jax.tree.map(_widen_leaf, tree)


def _widen_leaf(leaf: Any) -> Any:
    dtype = getattr(leaf, "dtype", None)
    low = dtype is not None and dtype.itemsize < 4 and jnp.issubdtype(dtype, jnp.inexact)
    return cast(leaf, jnp.float32) if low else leaf


def strong(tree: Any) -> Any:
    """The arrays of ``tree`` without weak types, so that a state is the same after each step."""
    return jax.tree.map(
        lambda leaf: cast(leaf, jnp.result_type(leaf)) if is_array(leaf) else leaf, tree
    )


def distinct(state: Any, params: Any) -> Any:
    """A state none of whose arrays is a parameter or stands twice: both can then be donated."""
    seen = set(map(id, jax.tree.leaves(params)))

    def own(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or isinstance(leaf, Tracer):
            return leaf
        if id(leaf) in seen:
            leaf = jnp.copy(leaf)
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(own, state)


def narrow(updates: Any, like: Any) -> Any:
    """Updates in the dtypes of the gradients ``like``; those of integers stay as they are."""

    def narrow_leaf(leaf: Any, gradient: Any) -> Any:
        dtype = getattr(gradient, "dtype", None)
        inexact = dtype is not None and jnp.issubdtype(dtype, jnp.inexact)
        return cast(leaf, dtype) if inexact and is_array(leaf) else leaf

    return jax.tree.map(narrow_leaf, updates, like)


def as_before(new: Any, old: Any) -> Any:
    """A new state in the dtypes of the old one, so that it can be carried through a scan."""
    return jax.tree.map(
        lambda leaf, before: cast(leaf, before.dtype) if is_array(before) else leaf, new, old
    )


def numbers_as(tree: Any, dtype: Any) -> Any:
    """Every number in ``tree`` in one real dtype, so that ``1 - decay`` is rounded like ``decay``.

    A Python float becomes a NumPy scalar and no array: a constant that a rule can look at.
    """
    constant = np.dtype(dtype).type

    def number_as(number: Any) -> Any:
        if isinstance(number, float):
            return constant(number)
        return cast(number, dtype) if _is_real(number) else number

    return jax.tree.map(number_as, tree)


def _is_real(number: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(number), jnp.floating)


@jax.custom_jvp
def safe_sqrt(x: jax.Array) -> jax.Array:
    """√x whose derivative at 0 is 0 and not infinite."""
    return jnp.sqrt(x)


@safe_sqrt.defjvp
def _safe_sqrt_jvp(primals: Any, tangents: Any) -> Any:
    root = safe_sqrt(*primals)
    positive = root > 0
    slope = jnp.where(positive, 0.5 / jnp.where(positive, root, 1), 0)
    return root, slope * tangents[0]


def safe_divide(numerator: jax.Array, denominator: jax.Array, at_least: Any = 0.0) -> jax.Array:
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
def _guarded_quotient_jvp(primals: Any, tangents: Any) -> Any:
    numerator, denominator = primals
    quotient = _guarded_quotient(numerator, denominator)
    vanishes = denominator <= 0
    inverse = jnp.where(vanishes, 0, 1 / jnp.where(vanishes, 1, denominator))
    return quotient, inverse * (tangents[0] - quotient * tangents[1])


def abs_squared(x: jax.Array) -> jax.Array:
    """|x|², real for complex x as well."""
    return (x.conj() * x).real if jnp.iscomplexobj(x) else x * x


def safe_increment(count: jax.Array) -> jax.Array:
    """count + 1, which stays at the largest integer instead of wrapping round."""
    return jnp.where(count < jnp.iinfo(count.dtype).max, count + 1, count)

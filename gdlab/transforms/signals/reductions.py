"""Means and sums over axes of an array: statistics of rows, columns and whole arrays.

The links after a reduction in a chain receive arrays of the smaller shape, and keep states of that
shape. The reduced axes stay, with length 1, so that the result broadcasts. Before it can be an
update, a reduced signal must be joined with one of the full shape.
"""

from collections.abc import Iterable

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.joins import join
from gdlab.core.numerics import safe_divide
from gdlab.core.structure import Function
from gdlab.core.transformation import leafwise


@leafwise
def mean_over(*axes: int) -> LeafFunctions:
    """Average each array over some axes.

    uₜ = mean of gₜ over ``axes``, which keep length 1

    Args:
        *axes: the axes, all of them unless given. Axes that an array does not have are ignored.

    >>> import jax.numpy as jnp
    >>> from gdlab import fork, identity, mean_over
    >>> tx = fork(jnp.subtract, identity(), mean_over(-1))
    >>> tx.update(jnp.array([[1.0, 3.0], [5.0, 5.0]]), tx.init(jnp.zeros((2, 2))))[0]
    Array([[-1.,  1.],
           [ 0.,  0.]], dtype=float32)
    """
    return lambda u: over_axes(jnp.mean, u, axes or range(u.ndim))


@leafwise
def sum_over(*axes: int) -> LeafFunctions:
    """Sum each array over some axes.

    uₜ = sum of gₜ over ``axes``, which keep length 1

    Args:
        *axes: as for :func:`mean_over`.

    >>> import jax.numpy as jnp
    >>> from gdlab import fork, identity, sum_over
    >>> tx = fork(jnp.divide, identity(), sum_over())
    >>> tx.update(jnp.array([1.0, 3.0]), tx.init(jnp.zeros(2)))[0]
    Array([0.25, 0.75], dtype=float32)
    """
    return lambda u: over_axes(jnp.sum, u, axes or range(u.ndim))


def over_axes(reduce: Function, u: jax.Array, axes: Iterable[int]) -> jax.Array:
    """An array reduced over the given axes that it has, which keep length 1.

    Args:
        reduce: a reduction, such as ``jnp.mean``.
        u: the array.
        axes: the axes; with none, the array is returned unchanged.
    """
    own = tuple(sorted({axis % u.ndim for axis in axes if -u.ndim <= axis < u.ndim}))
    # The mean of an empty array would be NaN.
    return reduce(u, axis=own, keepdims=True) if own and u.size else u


@join
def outer_over_mean(axis: int = -2) -> Function:
    """Join the means of rows and of columns: the matrix of rank one with these means.

    uᵢⱼ = rᵢ·cⱼ/mean(r)

    Among all matrices of rank one, it has the least generalised Kullback–Leibler divergence from
    the matrix whose means are r and c.

    Args:
        axis: the axis along which r varies.

    >>> import jax.numpy as jnp
    >>> from gdlab import outer_over_mean
    >>> outer_over_mean()(jnp.array([[1.0], [3.0]]), jnp.array([[2.0, 2.0]]))
    Array([[1., 1.],
           [3., 3.]], dtype=float32)

    Source: N. Shazeer, M. Stern, Adafactor: adaptive learning rates with sublinear memory cost,
    2018, section 3.
    """
    # This order does not underflow, as the product of two squares could.
    return lambda rows, columns: safe_divide(rows, jnp.mean(rows, axis, keepdims=True)) * columns

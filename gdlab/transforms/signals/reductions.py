"""Means and sums over axes of an array: statistics of rows, columns and whole arrays.

What follows such a part in a chain is given an array of the smaller shape, and keeps a state of
that size. The axes that are summed over stay, with the length 1, so that the result broadcasts.
Such a signal is joined with one of the whole shape before it can be an update.
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
    """Average each array over axes.

    uₜ = mean of gₜ over ``axes``, with the shape of gₜ but 1 there

    Args:
        *axes: the axes, all of them unless given. An axis that an array does not have is passed
            over.

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
    """Add each array up over axes.

    uₜ = sum of gₜ over ``axes``, with the shape of gₜ but 1 there

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
    """An array reduced over those of the axes that it has, which stay with the length 1.

    Args:
        reduce: such as ``jnp.mean``.
        u: the array.
        axes: the axes; none of them leave the array as it is.
    """
    own = tuple(sorted({axis % u.ndim for axis in axes if -u.ndim <= axis < u.ndim}))
    # The mean of nothing would be a NaN.
    return reduce(u, axis=own, keepdims=True) if own and u.size else u


@join
def outer_over_mean(axis: int = -2) -> Function:
    """Join the means of rows and of columns: the matrix of rank one that has them.

    uᵢⱼ = rᵢ·cⱼ/mean(r)

    It has the least generalised Kullback–Leibler divergence from the matrix of which r and c are
    the means, among all matrices of rank one.

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
    # In this order nothing vanishes on the way: the product of two squares may.
    return lambda rows, columns: safe_divide(rows, jnp.mean(rows, axis, keepdims=True)) * columns

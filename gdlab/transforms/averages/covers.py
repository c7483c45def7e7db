"""SM3: accumulated squares, bounded by one number for each row and column."""

import functools

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.signals.ratios import ratio, square


@leafwise(slots=("covers",))
def sum_by_covers(b2: Fraction = 1.0) -> LeafFunctions:
    """An upper bound of a sum of nonnegative numbers, from one maximum for each slice.

    νₜ(i) = b·νₜ₋₁(i) + a·gₜ(i), with νₜ₋₁(i) the smallest maximum of νₜ₋₁ over the slices that
    contain i, a row and a column of a matrix; b = b2, and a = 1 − b2, or 1 if b2 = 1

    The state has m + n numbers for an m×n matrix, and n for a vector of n, whose sum is exact. With
    b2 = 1 the output is at least the sum of all gᵢ so far.

    Args:
        b2: the decay: 1 for a sum, less for an average.

    >>> import jax.numpy as jnp
    >>> from gdlab import sum_by_covers
    >>> tx = sum_by_covers()
    >>> state = tx.init(jnp.zeros((2, 2)))
    >>> for g in ([[4.0, 1.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]):
    ...     bound, state = tx.update(jnp.array(g), state)
    >>> bound
    Array([[4., 1.],
           [2., 1.]], dtype=float32)

    Source: R. Anil, V. Gupta, T. Koren, Y. Singer, Memory-efficient adaptive optimization, 2019,
    algorithm SM3-II.
    """

    def others(ndim, axis):
        return tuple(other for other in range(ndim) if other != axis)

    def init(like):
        # A scalar is its own slice.
        axes = range(max(like.ndim, 1))
        sums = [jnp.sum(like, others(like.ndim, axis), keepdims=True) for axis in axes]
        return (jax.tree.map(jnp.zeros_like, tuple(sums)),)

    def update(u, state):
        (covers,) = state
        if not u.size:
            return u, state
        share = jnp.where(b2 == 1, 1, 1 - b2)
        total = b2 * functools.reduce(jnp.minimum, covers) + share * u
        axes = range(max(u.ndim, 1))
        return total, (tuple(jnp.max(total, others(u.ndim, axis), keepdims=True) for axis in axes),)

    return init, update


@transformation
def scale_by_sm3(
    b1: Hyperparameter = 0.9, b2: Fraction = 1.0, eps: NonNegative = 1e-8
) -> GradientTransformation:
    """The direction of SM3: the average of gradients divided by roots of bounded sums of squares.

    uₜ = ema(b1)(gₜ/√(νₜ + eps)), with ν as in :func:`sum_by_covers`

    Args:
        b1: decay of the average of the scaled gradients.
        b2: decay of the squares, 1 for a sum.
        eps: ε inside the root; the paper has none.

    >>> from gdlab import expand, scale_by_sm3
    >>> expand(scale_by_sm3())
    chain(fork(ratio(eps_root=1e-08), identity(), nu=chain(square(), sum_by_covers())), ema(0.9))

    Source: R. Anil, V. Gupta, T. Koren, Y. Singer, Memory-efficient adaptive optimization, 2019,
    algorithm SM3-II.
    """
    squares = chain(square(), sum_by_covers(b2))
    return chain(fork(ratio(eps_root=eps), identity(), nu=squares), ema(b1))

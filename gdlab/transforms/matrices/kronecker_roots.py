"""Shampoo's preconditioner: inverse roots of a matrix for each axis."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Count
from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.by_leaf import Structure
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period
from gdlab.core.numerics import abs_squared
from gdlab.core.placement import placed_like, whole
from gdlab.core.rarely import rarely
from gdlab.core.structure import Number
from gdlab.core.transformation import leafwise
from gdlab.transforms.averages.debiasing import Weight
from gdlab.transforms.matrices.axis_products import along, cut, gram, identities_of_blocks, joined
from gdlab.transforms.matrices.decompositions import eigh
from gdlab.transforms.steps.periods import is_due


@leafwise(reads="step", slots=("factors", "roots"), shared="weight", squares=True)
def scale_by_kronecker_roots(
    decay: Fraction | None = None,
    eps: NonNegative = 1e-6,
    *,
    exponent: Hyperparameter | None = None,
    every: Period = 1,
    relative_eps: bool = False,
    block_size: Count | None = 1024,
    axes: Structure | None = None,
    kronecker_sum: bool = False,
) -> LeafFunctions:
    """Shampoo: multiply each array along its axes by inverse roots of accumulated Gram matrices.

    Lₜ = Lₜ₋₁ + gₜ·gₜᵀ, Rₜ = Rₜ₋₁ + gₜᵀ·gₜ, uₜ = (Lₜ + ε)^(−1/4)·gₜ·(Rₜ + ε)^(−1/4) for a matrix,
    and the exponent −1/(2k) for an array with k factors, one for each axis. A vector or scalar is
    divided elementwise by the root of its sum of squares plus ε.

    The updates are equivariant under rotations of an axis. Without accumulation (``decay=0``) a
    matrix of full rank becomes its orthogonal polar factor UVᵀ (ε → 0), even with a factor for one
    axis only.

    Args:
        decay: weight of the old value, for factors that are averages, corrected for their start at
            zero; None for sums.
        eps: ε, added to the eigenvalues of a factor.
        exponent: the p of the root F^(−p) of each factor; by default 1/(2k).
        every: steps from one computation of the roots to the next, the first at the first step.
        relative_eps: whether ε is in units of the largest eigenvalue of a factor.
        block_size: the largest side of the blocks of an array, each with its own factors; None for
            no blocks.
        axes: the axis with a factor, or a list of pairs ``(pattern, axes)`` with an axis or a tuple
            of axes; by default all axes have factors.
        kronecker_sum: whether the factors are combined by the sum of their roots, applied twice,
            and not by their product: for a matrix uₜ = ¼(L̃(L̃g + gR̃) + (L̃g + gR̃)R̃).

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_kronecker_roots
    >>> tx = scale_by_kronecker_roots(eps=0.0)
    >>> gradient = jnp.array([[0.0, -3.0], [2.0, 0.0]])
    >>> tx.update(gradient, tx.init(gradient))[0].round(3) + 0.0
    Array([[ 0., -1.],
           [ 1.,  0.]], dtype=float32)

    Source: V. Gupta, T. Koren, Y. Singer, Shampoo: preconditioned stochastic tensor optimization,
    2018, algorithms 1 and 2; R. Anil, V. Gupta, T. Koren, K. Regan, Y. Singer, Scalable second
    order optimization for deep learning, 2020, section 4.
    """

    def is_diagonal(like):
        return like.ndim < 2 or like.size == 0 or not chosen_axes(like.ndim, axes)

    def init(like):
        if is_diagonal(like):
            return jnp.zeros_like(like).real, ()
        return first_factors(like, chosen_axes(like.ndim, axes), block_size)

    def accumulated(old, new):
        return old + new if decay is None else decay * old + (1 - decay) * new

    def update(u, state, weight, step):
        factors, roots = state
        arrived = 1 if decay is None else weight.value()
        if is_diagonal(u):
            factors = accumulated(factors, abs_squared(u))
            return u * inverse_power(factors / arrived, 0.5, eps, relative_eps), (factors, ())
        factors, roots = jax.tree.map(whole, state)
        own = chosen_axes(u.ndim, axes)
        power = 0.5 / len(own) if exponent is None else exponent

        def root(factor):
            return inverse_root(factor / arrived, power, eps, relative_eps)

        blocks = cut(u, block_size)
        new = [jax.vmap(partial(gram, axis=axis))(blocks) for axis in own]
        factors = tuple(map(accumulated, factors, new))
        compute = lambda factors, _: tuple(map(jax.vmap(root), factors))  # noqa: E731
        roots = rarely(is_due(step, every), compute, lambda _, roots: roots, factors, roots)
        combine = partial(_summed if kronecker_sum else multiplied, own)
        new = joined(jax.vmap(combine)(roots, blocks), u.shape)
        return placed_like(new, u), (factors, roots)

    if decay is None:
        return init, update
    return init, update, Shared(Weight.at_start, lambda weight: weight.after(decay))


def chosen_axes(ndim: int, axes: int | tuple[int, ...] | None) -> list[int]:
    """The axes that have factors: all, or those that were chosen."""
    given = (axes,) if isinstance(axes, int) else axes
    return list(range(ndim)) if given is None else sorted({axis % ndim for axis in given})


def first_factors(
    like: jax.Array, axes: Sequence[int], block_size: int | None
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """Zeros for the factors and identities for the roots of each axis, stacked over blocks."""
    eyes = tuple(identities_of_blocks(like, axis, block_size) for axis in axes)
    return jax.tree.map(jnp.zeros_like, eyes), eyes


def multiplied(axes: Sequence[int], matrices: Sequence[jax.Array], u: jax.Array) -> jax.Array:
    """The product of an array with a matrix along each of several axes."""
    for axis, matrix in zip(axes, matrices, strict=True):
        u = along(matrix, u, axis)
    return u


def _summed(axes, matrices, u):
    for _ in range(2):
        products = [along(matrix, u, axis) for axis, matrix in zip(axes, matrices, strict=True)]
        u = jax.tree.reduce(jnp.add, products) / len(products)
    return u


def inverse_power(values: jax.Array, power: Number, eps: Number, relative: bool) -> jax.Array:
    """The power (v + ε)^(−power) of nonnegative numbers, and 0 where v + ε is 0.

    Args:
        values: the numbers v.
        power: the exponent, positive.
        eps: the regularisation ε.
        relative: whether ε is in units of the largest of the numbers.
    """
    base = values + eps * (jnp.max(values, initial=0) if relative else 1)
    vanishes = base <= 0
    return jnp.where(vanishes, 0, jnp.where(vanishes, 1, base) ** -power)


def inverse_root(matrix: jax.Array, power: Number, eps: Number, relative: bool) -> jax.Array:
    """The power (M + εI)^(−power) of a positive semidefinite matrix.

    Directions in which M + εI is zero up to rounding are mapped to zero.
    """
    values, basis = eigh(matrix)
    largest = jnp.max(values, initial=0)
    # Eigenvalues below the rounding error of the largest count as zero.
    floor = jnp.finfo(values.dtype).eps * matrix.shape[-1] * largest
    scales = inverse_power(jnp.where(values > floor, values, 0), power, eps, relative)
    return jnp.matmul(basis * scales[None], basis.conj().T, precision=jax.lax.Precision.HIGHEST)

"""Scaling by the Kronecker factors of least Kullback–Leibler divergence: KL-Shampoo."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Count
from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Structure
from gdlab.core.hyperparameter import Fraction, NonNegative, Period
from gdlab.core.numerics import abs_squared
from gdlab.core.placement import placed_like, whole
from gdlab.core.rarely import rarely
from gdlab.core.structure import Number
from gdlab.core.transformation import leafwise
from gdlab.transforms.matrices.axis_products import EXACT, along, cut, gram, joined
from gdlab.transforms.matrices.decompositions import eigh
from gdlab.transforms.matrices.kronecker_roots import (
    chosen_axes,
    first_factors,
    inverse_power,
    multiplied,
)
from gdlab.transforms.norms.norms import rms
from gdlab.transforms.steps.periods import is_due

Statistics = Literal["gram", "kl"]
"""The statistics that the factor of an axis averages: plain Gram matrices of the gradients, as in
Shampoo, or those that :func:`scale_by_kl_factors` describes."""


@leafwise(reads="step", slots=("factors", "bases"), squares=True)
def scale_by_kl_factors(
    decay: Fraction = 0.95,
    eps: NonNegative = 1e-4,
    *,
    every: Period = 1,
    relative_eps: bool = True,
    block_size: Count | None = 1024,
    axes: Structure | None = None,
) -> LeafFunctions:
    """Whiten each array by the Kronecker product closest to the covariance of its gradients.

    Lₜ = decay·Lₜ₋₁ + (1 − decay)·gₜ·Rₜ₋₁⁻¹·gₜᵀ/n, Rₜ = decay·Rₜ₋₁ + (1 − decay)·gₜᵀ·Lₜ₋₁⁻¹·gₜ/m,
    uₜ = (Lₜ + ε)^(−1/2)·gₜ·(Rₜ + ε)^(−1/2) for an m×n matrix, and so on for more axes

    L ⊗ R is the covariance of the Gaussian with the smallest Kullback–Leibler divergence from the
    gradients. If their covariance is a Kronecker product, it is found exactly, unlike by Shampoo's
    averages. Eigenvectors are kept between refreshes, while eigenvalues are updated at each step.
    The factors start at the first gradient, scaled so that their product has the size of its
    squares. A vector or scalar is divided by the root of its average of squares.

    The updates are equivariant under rotations of an axis.

    Args:
        decay: weight of the old value.
        eps: ε, added to the eigenvalues of a factor. The first gradients leave most directions with
            zero eigenvalues, which a much smaller ε would amplify for a long time.
        every: steps from one computation of eigenvectors to the next.
        relative_eps: whether ε is in units of the largest eigenvalue of a factor.
        block_size: the largest side of the blocks of an array, each with its own factors; None for
            no blocks.
        axes: the axes that have a factor, as in :func:`scale_by_kronecker_roots`.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_kl_factors
    >>> tx = scale_by_kl_factors(eps=0.0)
    >>> gradient = jnp.array([[0.0, -3.0], [2.0, 0.0]])
    >>> state = tx.init(gradient)
    >>> for _ in range(200):
    ...     u, state = tx.update(gradient, state)
    >>> (u / u[1, 0]).round(2) + 0.0
    Array([[ 0., -1.],
           [ 1.,  0.]], dtype=float32)

    Source: W. Lin, S. C. Lowe, F. Dangel, R. Eschenhagen, Z. Xu, R. B. Grosse, Understanding and
    improving Shampoo and SOAP via Kullback–Leibler minimization, 2025, section 3.
    """

    def is_diagonal(like):
        return like.ndim < 2 or like.size == 0 or not chosen_axes(like.ndim, axes)

    def init(like):
        if is_diagonal(like):
            return jnp.zeros_like(like).real, ()
        return first_factors(like, chosen_axes(like.ndim, axes), block_size)

    def averaged(old, new, empty):
        weight = jnp.where(empty, 0, decay)
        return weight * old + (1 - weight) * new

    def roots_of(bases, factors):
        return tuple(
            map(jax.vmap(partial(root_in, eps=eps, relative=relative_eps)), bases, factors)
        )

    def update(u, state, step):
        factors, bases = state
        empty = _are_zero(factors)
        if is_diagonal(u):
            factors = averaged(factors, abs_squared(u), empty)
            return u * inverse_power(factors, 0.5, eps, relative_eps), (factors, ())
        factors, bases = jax.tree.map(whole, state)
        own = chosen_axes(u.ndim, axes)
        blocks = cut(u, block_size)
        added = partial(kl_statistics, axes=own)
        new = jax.vmap(added)(blocks, roots_of(bases, factors), factors)
        factors = tuple(averaged(*pair, empty) for pair in zip(factors, new, strict=True))
        find = lambda factors, _: tuple(eigh(f)[1] for f in factors)  # noqa: E731
        bases = rarely(is_due(step, every), find, lambda _, bases: bases, factors, bases)
        new = jax.vmap(partial(multiplied, own))(roots_of(bases, factors), blocks)
        return placed_like(joined(new, u.shape), u), (factors, bases)

    return init, update


def kl_statistics(
    u: jax.Array,
    whitening: Sequence[jax.Array],
    factors: Sequence[jax.Array],
    axes: Sequence[int],
) -> tuple[jax.Array, ...]:
    """The statistics of one gradient for the factor of each axis.

    They are the Gram matrices of the gradient, whitened along all other axes with factors and
    divided by the number of elements per slice. While the factors are zero, multiples of the
    identity replace the whitening, so that all factors get the same size and their product that of
    the squares.

    Args:
        u: the gradient.
        whitening: F^(−½) of each factor F, possibly in another basis.
        factors: the factors.
        axes: the axes of the factors.
    """
    size = rms(u)
    first = jnp.where(size > 0, size, 1) ** (-1 / len(axes))
    empty = _are_zero(factors)
    new = []
    for axis in axes:
        v = u
        for other, root in zip(axes, whitening, strict=True):
            root = jnp.where(empty, first * jnp.eye(len(root), dtype=root.dtype), root)
            v = v if other == axis else along(root, v, other)
        new.append(gram(v, axis) * (u.shape[axis] / u.size))
    return tuple(new)


def _are_zero(factors):
    leaves = jax.tree.leaves(factors)
    return jax.tree.reduce(jnp.logical_and, [~jnp.any(leaf != 0) for leaf in leaves])


def eigenvalues_in(basis: jax.Array, factor: jax.Array) -> jax.Array:
    """The approximate eigenvalues of a factor in a basis: the diagonal of QᴴFQ, at least 0."""
    product = jnp.matmul(factor, basis, precision=EXACT)
    return jnp.maximum(jnp.sum(basis.conj() * product, axis=0).real, 0)


def root_in(basis: jax.Array, factor: jax.Array, eps: Number, relative: bool) -> jax.Array:
    """The root (F + εI)^(−½) of a factor with given eigenvectors."""
    scales = inverse_power(eigenvalues_in(basis, factor), 0.5, eps, relative)
    return jnp.matmul(basis * scales[None], basis.conj().T, precision=EXACT)

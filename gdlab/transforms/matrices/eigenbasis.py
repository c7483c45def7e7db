"""Transformations in the eigenbases of Shampoo's factors."""

from typing import Literal

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Size
from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Fraction, NonNegative, Period
from gdlab.core.placement import placed_like, whole
from gdlab.core.rarely import rarely
from gdlab.core.transformation import GradientTransformation, leaf_wrapper
from gdlab.transforms.matrices.axis_products import EXACT, gram, identity_along
from gdlab.transforms.matrices.decompositions import eigh, orthonormal_columns
from gdlab.transforms.matrices.kl_factors import Statistics, eigenvalues_in, kl_statistics, root_in
from gdlab.transforms.matrices.kronecker_roots import multiplied
from gdlab.transforms.steps.periods import is_due

Refresh = Literal["qr", "eigh"]
"""The method that updates the bases; see :func:`in_eigenbasis`."""


@leaf_wrapper(reads="step", slots=("factors", "basis"), squares=True)
def in_eigenbasis(
    inner: GradientTransformation,  # noqa: ARG001  its rule is handed to init and update
    decay: Fraction = 0.95,
    *,
    every: Period = 10,
    max_dim: Size = 10000,
    refresh: Refresh = "qr",
    statistics: Statistics = "gram",
    eps: NonNegative = 1e-4,
) -> LeafFunctions:
    """Apply a transformation in the slowly changing eigenbases of Shampoo's factors.

    uₜ = Q·inner(Qᵀ·gₜ·P)·Pᵀ for a matrix, where the columns of Q and P are eigenvectors of Lₜ =
    decay·Lₜ₋₁ + (1 − decay)·gₜ·gₜᵀ and Rₜ = decay·Rₜ₋₁ + (1 − decay)·gₜᵀ·gₜ as they were at the
    last refresh, before this step. At the first step Q = P = I. An array with more axes has a basis
    for each axis; vectors and scalars are not rotated.

    So an elementwise ``inner`` becomes equivariant under rotations of an axis. When eigenvectors
    change their order, squares in the state of ``inner`` are permuted with them, but a signed
    average would stay in the old basis: put it before this part, on a bus, as in :func:`soap`.

    Args:
        inner: a leafwise transformation, usually elementwise. If its input is a bus, all signals
            are rotated, and the first one is the gradient for the factors.
        decay: weight of the old value in the factors.
        every: steps from one refresh of the bases to the next.
        max_dim: the longest axis with a basis; longer axes are not rotated.
        refresh: "qr" for eigenvectors at the first step and then one step of orthogonal iteration,
            "eigh" for eigenvectors at each refresh.
        statistics: "kl" for the factors of least Kullback–Leibler divergence, as in
            :func:`scale_by_kl_factors`.
        eps: ε, added to the eigenvalues that "kl" divides by, in units of the largest.

    Raises:
        ValueError: if ``refresh`` or ``statistics`` is none of these.
        TypeError: if ``inner`` is not leafwise.

    >>> import jax.numpy as jnp
    >>> from gdlab import clip, in_eigenbasis
    >>> tx = in_eigenbasis(clip(1.0))
    >>> state = tx.init(jnp.zeros((2, 2)))
    >>> for _ in range(2):
    ...     u, state = tx.update(jnp.array([[3.0, 2.0], [2.0, 3.0]]), state)
    ...     print(jnp.abs(u[0]).round(3))
    [1. 1.]
    [1. 0.]

    Source: N. Vyas, D. Morwani, R. Zhao, M. Kwun, I. Shapira, D. Brandfonbrener, L. Janson,
    S. Kakade, SOAP: improving and stabilizing Shampoo using Adam, 2024, algorithms 3 and 4.
    """

    def turned_axes(g):
        own = range(g.ndim) if g.ndim >= 2 and g.size else ()
        return [axis for axis in own if g.shape[axis] <= max_dim]

    def init(like, init_inner):
        g = jax.tree.leaves(like)[0]
        eyes = tuple(identity_along(g, axis) for axis in turned_axes(g))
        return init_inner(like), jax.tree.map(jnp.zeros_like, eyes), eyes

    def update(signal, state, update_inner, step):
        kept, (factors, basis) = state[0], jax.tree.map(whole, state[1:])
        g = jax.tree.leaves(signal)[0]
        axes = turned_axes(g)
        there = tuple(q.conj().T for q in basis)
        turn = lambda x, matrices: placed_like(multiplied(axes, matrices, x), x)  # noqa: E731
        new, kept = update_inner(jax.tree.map(lambda x: turn(x, there), signal), kept)
        new = turn(new, basis)
        if not axes:
            return new, (kept, factors, basis)

        weight = decay
        if statistics == "kl":
            whitening = tuple(
                root_in(*pair, eps, True) for pair in zip(basis, factors, strict=True)
            )
            grams = kl_statistics(g, whitening, factors, axes)
            # The first factors are not averaged with zeros, since each factor depends on the size
            # of the others.
            weight = jnp.where(jnp.any(factors[0] != 0), decay, 0)
        else:
            grams = [gram(g, axis) for axis in axes]
        factors = tuple(
            weight * old + (1 - weight) * new for old, new in zip(factors, grams, strict=True)
        )

        def refreshed(factors, basis, kept):
            if refresh == "eigh":
                return tuple(map(_eigenvectors, factors)), kept
            return rarely(step == 0, first, following, factors, basis, kept)

        def first(factors, _, kept):
            return tuple(map(_eigenvectors, factors)), kept

        def following(factors, basis, kept):
            moved = [_orthogonal_iteration(*pair) for pair in zip(factors, basis, strict=True)]
            orders = [order for _, order in moved]
            reorder = lambda slot: _reordered(slot, g.shape, axes, orders)  # noqa: E731
            return tuple(q for q, _ in moved), jax.tree.map(reorder, kept)

        keep = lambda _, basis, kept: (basis, kept)  # noqa: E731
        basis, kept = rarely(is_due(step, every), refreshed, keep, factors, basis, kept)
        return new, (kept, factors, basis)

    return init, update


def _eigenvectors(factor):
    """The eigenvectors, in order of descending eigenvalues."""
    return eigh(factor)[1][:, ::-1]


def _orthogonal_iteration(factor, basis):
    """The next basis, and the permutation of the old basis vectors in it."""
    order = jnp.argsort(eigenvalues_in(basis, factor), descending=True)
    product = jnp.matmul(factor, basis, precision=EXACT)
    return orthonormal_columns(product[:, order]), order


def _reordered(slot, shape, axes, orders):
    """The slots of the inner rule, permuted like the eigenvectors."""
    if jnp.shape(slot) != shape:
        return slot
    new = whole(slot)
    for axis, order in zip(axes, orders, strict=True):
        new = jnp.take(new, order, axis)
    return placed_like(new, slot)

"""Transformations of matrices in a low-dimensional subspace."""

from typing import Literal

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, InexactDType, Key
from gdlab.checks.user_functions import called_as
from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Structure
from gdlab.core.hyperparameter import Hyperparameter, Period
from gdlab.core.numerics import safe_divide
from gdlab.core.placement import parts_of, placed, placed_like, whole
from gdlab.core.rarely import rarely
from gdlab.core.returned import require_arrays_like
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, leaf_wrapper
from gdlab.transforms.matrices.axis_products import along
from gdlab.transforms.matrices.decompositions import svd
from gdlab.transforms.norms.norms import norm
from gdlab.transforms.steps.periods import is_due

Share = Literal["channel", "tensor"]
"""The part of a matrix with a common factor: each slice along the longer axis, or all of it."""


def singular_vectors(gradient: jax.Array, rank: int) -> jax.Array:
    """The leading left singular vectors of a matrix, each as a row.

    The sign of each vector is chosen such that its largest element is positive.

    >>> import jax.numpy as jnp
    >>> from gdlab import singular_vectors
    >>> singular_vectors(jnp.diag(jnp.array([1.0, -3.0])), 1) + 0.0
    Array([[0., 1.]], dtype=float32)
    """
    if gradient.ndim != 2 or not 1 <= rank <= min(gradient.shape):
        raise ValueError(
            f"gradient must be a matrix and rank at most its shorter side, not of shape "
            f"{gradient.shape} and {rank}"
        )
    vectors = svd(gradient)[0][:, :rank].T
    largest = jnp.argmax(jnp.abs(vectors), axis=1)[:, None]
    pivot = jnp.take_along_axis(vectors, largest, axis=1)
    return (vectors * pivot.conj() / jnp.abs(pivot)).conj()


@checked
def gaussian_rows(key: Key, shape: tuple[Count, Count], dtype: InexactDType) -> jax.Array:
    """A random projection: independent normal numbers of variance 1/rows.

    It preserves squared lengths on average.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import gaussian_rows
    >>> gaussian_rows(jax.random.key(0), (2, 3), jnp.float32).shape
    (2, 3)
    """
    return jax.random.normal(key, shape, dtype) / shape[0] ** 0.5


def _projected_axis(like, rank, axis):
    """The projected axis, or None if projection would save no memory."""
    if like.ndim != 2 or not like.size:
        return None
    if axis not in (None, 0, 1, -2, -1):
        raise ValueError(f"axis must be one of the two of a matrix, or None, not {axis!r}")
    chosen = (0 if like.shape[0] < like.shape[1] else 1) if axis is None else axis % 2
    return chosen if like.shape[chosen] > rank else None


def _as_matrix(g, axis):
    return g if axis == 0 else g.T


@leaf_wrapper(reads="step", slots=("basis",))
def in_subspace(
    inner: GradientTransformation,  # noqa: ARG001  its rule is handed to init and update
    rank: Count = 128,
    every: Period = 200,
    scale: Hyperparameter = 1.0,
    *,
    axis: Structure | None = None,
    projector: Function = singular_vectors,
) -> LeafFunctions:
    """Apply a transformation to matrices projected onto their leading singular vectors.

    uₜ = scale·P·inner(Pᵀ·gₜ) for an m×n matrix with m < n, and scale·inner(gₜ·P)·Pᵀ otherwise; the
    columns of P are the first ``rank`` singular vectors of the gradient at the last refresh. The
    state of ``inner`` has ``rank`` in place of the shorter side, and is not changed at a refresh.
    Other arrays, and matrices whose shorter side is at most ``rank``, are not projected.

    Args:
        inner: a leafwise transformation that does not read the parameters.
        rank: the number of singular vectors.
        every: steps from one refresh of P to the next, the first at the first step.
        scale: the factor of the updates of projected matrices.
        axis: the projected axis, 0 or 1, or a list of pairs ``(pattern, axis)``; by default the
            shorter axis.
        projector: a function of a gradient, with the projected axis first, and of the rank, which
            returns the vectors of P as rows.

    Raises:
        TypeError: if ``inner`` is not leafwise.

    >>> import jax.numpy as jnp
    >>> from gdlab import identity, in_subspace
    >>> tx = in_subspace(identity(), rank=1)
    >>> tx.update(jnp.diag(jnp.array([1.0, -3.0])), tx.init(jnp.zeros((2, 2))))[0] + 0.0
    Array([[ 0.,  0.],
           [ 0., -3.]], dtype=float32)

    Source: J. Zhao and others, GaLore: memory-efficient LLM training by gradient low-rank
    projection, 2024, algorithm 2.
    """

    def init(like, init_inner):
        along_axis = _projected_axis(like, rank, axis)
        if along_axis is None:
            return init_inner(like), ()
        basis = jnp.zeros((rank, like.shape[along_axis]), like.dtype)
        basis = placed(basis, [None, parts_of(like)[along_axis]])
        return init_inner(along(basis, like, along_axis)), basis

    def update(g, state, update_inner, step):
        kept, basis = state
        along_axis = _projected_axis(g, rank, axis)
        if along_axis is None:
            new, kept = update_inner(g, kept)
            return new, (kept, basis)
        basis = whole(basis)

        def find(g: jax.Array, basis: jax.Array) -> jax.Array:
            matrix = whole(_as_matrix(g, along_axis))
            made = called_as("projector(matrix, rank)", projector, matrix, rank)
            return require_arrays_like("what projector returns", made, "the rows", basis)

        basis = rarely(is_due(step, every), find, lambda _, basis: basis, g, basis)
        new, kept = update_inner(along(basis, g, along_axis), kept)
        return placed_like(scale * along(basis.conj().T, new, along_axis), g), (kept, basis)

    return init, update


@leaf_wrapper(reads=("key", "step"), slots=("seed",))
def scale_from_subspace(
    inner: GradientTransformation,  # noqa: ARG001  its rule is handed to init and update
    rank: Count = 128,
    every: Period = 200,
    scale: Hyperparameter = 1.0,
    *,
    share: Share = "channel",
    axis: Structure | None = None,
    projector: Function = gaussian_rows,
) -> LeafFunctions:
    """Scale the gradients of matrices by factors found on their random projections.

    Rₜ = P·gₜ with ``rank`` rows, uₜ = scale·gₜ·diag(s), sⱼ = ‖inner(Rₜ)ⱼ‖/‖(Rₜ)ⱼ‖ for each column j
    of an m×n matrix with m ≤ n, or for each row otherwise; or s = ‖inner(Rₜ)‖/‖Rₜ‖ for all.

    P is not stored, but regenerated from a seed at each step. Other arrays, and matrices whose
    shorter side is at most ``rank``, are transformed by ``inner`` directly.

    Args:
        inner: a leafwise transformation that does not read the parameters.
        rank: the number of rows of P.
        every: the number of steps between new seeds.
        scale: the factor of the updates of projected matrices.
        share: "channel" for a factor for each column or row, "tensor" for one factor.
        axis: the projected axis, as in :func:`in_subspace`.
        projector: a function of a key, a shape and a dtype that returns P.

    Raises:
        ValueError: if ``share`` is neither, or if the step has no ``key``.
        TypeError: if ``inner`` is not leafwise.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import scale, scale_from_subspace
    >>> tx = scale_from_subspace(scale(3.0), rank=1)
    >>> gradient = jnp.array([[1.0, 2.0], [0.5, -1.0]])
    >>> (tx.update(gradient, tx.init(gradient), key=jax.random.key(0))[0] / gradient).round(2)
    Array([[3., 3.],
           [3., 3.]], dtype=float32)

    Source: H. Zhu and others, APOLLO: SGD-like memory, AdamW-level performance, 2024, algorithm 1.
    """

    def init(like, init_inner):
        along_axis = _projected_axis(like, rank, axis)
        if along_axis is None:
            return init_inner(like), ()
        rows = jnp.zeros((rank, like.shape[along_axis]), like.dtype)
        return init_inner(along(rows, like, along_axis)), jnp.zeros((), jnp.uint32)

    def update(g, state, update_inner, key, step):
        kept, seed = state
        along_axis = _projected_axis(g, rank, axis)
        if along_axis is None:
            new, kept = update_inner(g, kept)
            return new, (kept, seed)
        seed = jnp.where(
            is_due(step, every),
            jax.random.bits(jax.random.fold_in(key, step), (), jnp.uint32),
            seed,
        )
        rows = projector(jax.random.key(seed), (rank, g.shape[along_axis]), g.dtype)
        low = along(rows, g, along_axis)
        new, kept = update_inner(low, kept)
        axes = along_axis if share == "channel" else None
        sizes = safe_divide(
            norm(new, axis=axes, keepdims=True), norm(low, axis=axes, keepdims=True)
        )
        return scale * sizes * g, (kept, seed)

    return init, update

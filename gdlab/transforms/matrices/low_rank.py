"""Low-rank orthogonalization with error feedback: the direction of Dion."""

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Count, Seed, StorageDType
from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_divide, storage_dtype
from gdlab.core.transformation import leafwise
from gdlab.transforms.matrices.decompositions import orthonormal_columns
from gdlab.transforms.matrices.matrix_axes import MatrixAxes, matrix_view
from gdlab.transforms.norms.norms import norm


@leafwise(slots=("mu", "basis"))
def orthogonalize_low_rank(
    rank: Count = 64,
    mu: Hyperparameter = 0.95,
    eps: NonNegative = 1e-8,
    *,
    mu_dtype: StorageDType | None = None,
    weight_dimension_numbers: MatrixAxes = None,
    seed: Seed = 0,
) -> LeafFunctions:
    """Take a low-rank orthogonal factor of a momentum matrix; other arrays pass unchanged.

    Bₜ = Mₜ₋₁ + gₜ, Pₜ = qr(Bₜ·Qₜ₋₁), Rₜ = Bₜᵀ·Pₜ, Mₜ = Bₜ − (1 − μ)·Pₜ·Rₜᵀ,
    Qₜ = Rₜ with columns of norm one, uₜ = Pₜ·Qₜᵀ

    One step of power iteration from the previous basis approximates the leading singular vectors.
    Only the directions of the step decay in M, so that the other directions accumulate for later
    steps. For a constant gradient of rank at most ``rank``, u converges to its U·Vᵀ.

    Args:
        rank: the largest rank of the directions, also bounded by the smaller side.
        mu: the weight μ of the old momentum along the directions of the step.
        eps: ε, added to the norms of columns.
        mu_dtype: dtype in which M is stored; the parameter's, at least float32.
        weight_dimension_numbers: which axes are the matrix, as for :func:`orthogonalize`.
        seed: the seed of the random initial basis.

    >>> import jax.numpy as jnp
    >>> from gdlab import orthogonalize_low_rank
    >>> tx = orthogonalize_low_rank(rank=1)
    >>> g = jnp.outer(jnp.array([3.0, 4.0]), jnp.array([0.0, 1.0]))
    >>> abs(tx.update(g, tx.init(g))[0].round(4))
    Array([[0. , 0.6],
           [0. , 0.8]], dtype=float32)

    Source: K. Ahn, B. Xu, N. Abreu, J. Langford, Dion: distributed orthonormalized updates, 2025,
    algorithm 1.
    """

    def init(like):
        view = matrix_view(weight_dimension_numbers, like.shape)
        if view is None:
            return (), ()
        batch = tuple(like.shape[axis] for axis in view.batch)
        shape = (*batch, view.fan_in, min(rank, view.fan_in, view.fan_out))
        basis = jax.random.normal(jax.random.key(seed), shape, like.real.dtype)
        return jnp.zeros_like(like, dtype=storage_dtype(like, mu_dtype)), basis.astype(like.dtype)

    def update(u, state):
        view = matrix_view(weight_dimension_numbers, u.shape)
        if view is None or u.size == 0:
            return u, state
        momentum, basis = state
        # The paper's matrices are (outputs, inputs).
        b = view.matrices(momentum + u).mT
        p = orthonormal_columns(_product(b, basis))
        r = _product(jnp.conj(b.mT), p)
        lengths = norm(r, axis=-2, keepdims=True)
        columns = safe_divide(r, lengths + eps, at_least=eps)
        of_low_rank = view.restored(_product(p, jnp.conj(r.mT)).mT, u)
        direction = view.restored(_product(p, jnp.conj(columns.mT)).mT, u)
        # A zero momentum determines no new basis.
        basis = jnp.where(lengths == 0, basis, columns)
        return direction, (momentum + u - (1 - mu) * of_low_rank, basis)

    return init, update


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision="highest")

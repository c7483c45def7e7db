"""Krylov spaces of a symmetric map by Lanczos' method, with detection of breakdown."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.analysis.curvature.parameter_space import number_of_parameters
from gdlab.devices.free_memory import bytes_in_memory, require_memory


class Krylov(NamedTuple):
    """An orthonormal basis of a Krylov space, in which the map is tridiagonal."""

    basis: jax.Array
    """The basis vectors as rows; rows from ``size`` on are zero."""
    tridiagonal: jax.Array
    """The map in this basis; rows and columns from ``size`` on are meaningless."""
    size: jax.Array
    """The dimension of the space: less than the number of rows if the space is invariant."""

    @property
    def exists(self) -> jax.Array:
        """A mask that is true at the rows of ``basis`` that hold a basis vector."""
        return jnp.arange(len(self.basis)) < self.size


def require_krylov_memory(name: str, rows: int, params: Any, advice: str = "") -> None:
    """Refuse an argument that asks for a Krylov space larger than the memory.

    Raises:
        ValueError: naming the argument and the needed memory.
    """
    size = number_of_parameters(params)
    require_memory(
        f"{name}: {rows} vectors of {size} parameters", rows * bytes_in_memory(params), params,
        advice or f"give fewer {name}",
    )  # fmt: skip


def krylov(
    matvec: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    iterations: int,
    against: jax.Array | None = None,
) -> Krylov:
    """The Krylov space of ``start`` under a symmetric map, with full reorthogonalisation.

    Once a Krylov space is invariant, the next vector would be 0/0 or a rounding error, so the basis
    ends there.

    Args:
        matvec: the symmetric map of flat vectors.
        start: the first vector, not necessarily normalised.
        iterations: the largest dimension of the space.
        against: orthonormal or zero rows; the map is restricted to their orthogonal complement.
    """
    decomp = _matfree_decomp()
    eps = jnp.finfo(start.dtype).eps

    def complement(vector: jax.Array) -> jax.Array:
        if against is None:
            return vector
        # Projected twice, because of rounding.
        vector = vector - against.T @ (against @ vector)
        return vector - against.T @ (against @ vector)

    with jax.default_matmul_precision("highest"):
        largest = jnp.max(jnp.abs(start))
        start = complement(start / jnp.where(largest > 0, largest, 1))
        tridiagonalise = decomp.tridiag_sym(iterations, reortho="full", custom_vjp=False)
        basis, tridiagonal, *_ = tridiagonalise(lambda v: complement(matvec(v)), start)

        diagonal, beside = jnp.diagonal(tridiagonal), jnp.diagonal(tridiagonal, 1)
        scale = jax.lax.cummax(jnp.abs(diagonal).at[1:].max(beside))
        leads_on = jnp.concatenate([jnp.ones(1, bool), beside > 10 * eps * scale[:-1]])
        overlap = jnp.abs(jnp.tril(basis @ basis.T) - jnp.eye(iterations, dtype=start.dtype))
        if against is not None:
            overlap = jnp.concatenate([overlap, jnp.abs(basis @ against.T)], axis=1)
    orthonormal = jnp.all(overlap < jnp.sqrt(eps), axis=1)
    good = leads_on & orthonormal & jnp.isfinite(diagonal)
    size = jnp.sum(jnp.cumprod(good))
    basis = jnp.where((jnp.arange(iterations) < size)[:, None], basis, 0)
    return Krylov(basis, tridiagonal, size)


def masked_eigh(matrix: jax.Array, exists: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and eigenvectors (as columns) of the submatrix of existing rows and columns.

    The eigenvalues of the submatrix come first, ascending; the rest is meaningless.
    """
    matrix = jnp.where(exists[:, None] & exists[None, :], matrix, 0)
    bound = jnp.max(jnp.sum(jnp.abs(matrix), axis=1))
    beyond = jnp.where(bound > 0, 4 * bound, 1)
    missing = jnp.eye(len(matrix), dtype=bool) & ~exists[None, :]
    return jnp.linalg.eigh(jnp.where(missing, beyond, matrix))


def _matfree_decomp() -> Any:
    try:
        from matfree import decomp
    except ImportError as error:
        raise ImportError(
            f'Lanczos\' method needs {error.name}: pip install "gdlab[lab]"', name=error.name
        ) from error
    return decomp

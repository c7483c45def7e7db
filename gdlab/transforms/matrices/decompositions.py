"""Matrix decompositions that are safe in many lanes of a sweep.

On a CPU, XLA distributes a batch of decompositions over its threads, and the thread that started it
waits. If as many batches start at once as there are threads, all threads wait and the program hangs
(jaxlib 0.10.2). So on a CPU the matrices of a batch are decomposed one after another here, which is
slower by at most the number of threads; other devices decompose them together.
"""

import functools

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from gdlab.core.structure import Function


def matrix_by_matrix(function: Function) -> Function:
    """Extend a function of matrices to batches and lanes, one after another on a CPU.

    Args:
        function: a function of arrays with two axes.

    Returns:
        The function of arrays with further axes in front, the same for all of them.
    """

    @custom_vmap
    def alone(*matrices):
        return function(*matrices)

    @alone.def_vmap
    def of_lanes(size, batched, *matrices):
        lanes = [
            matrix if varies else jnp.broadcast_to(matrix, (size, *matrix.shape))
            for matrix, varies in zip(matrices, batched, strict=True)
        ]
        out = jax.lax.platform_dependent(
            *lanes,
            cpu=lambda *lanes: jax.lax.map(lambda lane: alone(*lane), lanes),
            default=jax.vmap(function),
        )
        return out, jax.tree.map(lambda _: True, out)

    # A function with a custom batching rule has no reverse derivative of its own.
    @jax.custom_jvp
    def differentiable(*matrices):
        return alone(*matrices)

    @differentiable.defjvp
    def derivative(primals, tangents):
        return jax.jvp(function, primals, tangents)

    @functools.wraps(function)
    def of_batches(*matrices):
        batched = differentiable
        for _ in range(matrices[0].ndim - 2):
            batched = jax.vmap(batched)
        return batched(*matrices)

    return of_batches


@matrix_by_matrix
def eigh(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The eigenvalues of a symmetric matrix, rising, and its eigenvectors as columns."""
    values, vectors = jnp.linalg.eigh(matrix)
    return values, vectors


@matrix_by_matrix
def orthonormal_columns(matrix: jax.Array) -> jax.Array:
    """The orthogonal factor of the QR decomposition of a matrix."""
    return jnp.linalg.qr(matrix)[0]


@matrix_by_matrix
def svd(matrix: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The left singular vectors, the singular values in descending order, and the right vectors."""
    left, values, right = jnp.linalg.svd(matrix, full_matrices=False)
    return left, values, right


@matrix_by_matrix
def largest_singular_value(matrix: jax.Array) -> jax.Array:
    """The largest singular value of a matrix."""
    return jnp.linalg.svd(matrix, compute_uv=False)[0]


@matrix_by_matrix
def solve_upper_transposed(triangle: jax.Array, right: jax.Array) -> jax.Array:
    """The solution X of UᵀX = B for an upper triangular U."""
    return jax.scipy.linalg.solve_triangular(triangle, right, trans="T")

"""Krylov spaces where Lanczos' method breaks down, which matfree alone answers with NaN."""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import sharpness
from gdlab.analysis.curvature.lanczos import krylov, masked_eigh

pytestmark = pytest.mark.x64


@functools.partial(jax.jit, static_argnums=2)
def compiled(matrix, start, iterations, against):
    return krylov(lambda v: matrix @ v, start, iterations, against)


def space_of(matrix, start, iterations, against=None):
    space = compiled(jnp.asarray(matrix), jnp.asarray(start), iterations, against)
    return np.asarray(space.basis), np.asarray(space.tridiagonal), int(space.size)


def test_a_space_without_breakdown_tridiagonalises_the_matrix():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(12, 12))
    matrix += matrix.T
    basis, tridiagonal, size = space_of(matrix, rng.normal(size=12), 12)
    assert size == 12
    np.testing.assert_allclose(basis @ basis.T, np.eye(12), atol=1e-12)
    np.testing.assert_allclose(basis @ matrix @ basis.T, tridiagonal, atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "start", "size"),
    [
        (np.eye(5), np.arange(1.0, 6), 1),
        (np.zeros((5, 5)), np.ones(5), 1),
        (np.diag([1.0, 2, 3, 4, 5]), np.eye(5)[2], 1),
        (np.diag([1.0, 2, 3, 4, 5]), np.array([1.0, 0, 1, 0, 0]), 2),
        (np.diag([1.0, 1, 1, 7, 7]), np.ones(5), 2),
        (np.eye(5), np.zeros(5), 0),
        (np.full((5, 5), np.nan), np.ones(5), 0),
    ],
)
def test_an_invariant_space_ends_where_it_is_complete(matrix, start, size):
    basis, tridiagonal, found = space_of(matrix, start, 5)
    assert found == size
    np.testing.assert_array_equal(basis[size:], 0)
    basis, tridiagonal = basis[:size], tridiagonal[:size, :size]
    np.testing.assert_allclose(basis @ basis.T, np.eye(size), atol=1e-14)
    if size:
        np.testing.assert_allclose(basis @ matrix, tridiagonal @ basis, atol=1e-14)


@pytest.mark.parametrize("rank", [1, 8])
def test_a_matrix_of_low_rank_has_each_eigenvalue_once(rank):
    rng = np.random.default_rng(rank)
    factor = rng.normal(size=(20, rank))
    matrix = factor @ factor.T
    basis, tridiagonal, size = space_of(matrix, rng.normal(size=20), 20)
    assert rank < size < 20
    np.testing.assert_allclose(basis[:size] @ basis[:size].T, np.eye(size), atol=1e-12)
    values = np.linalg.eigvalsh(tridiagonal[:size, :size])
    np.testing.assert_allclose(values[-rank:], np.linalg.eigvalsh(matrix)[-rank:], rtol=1e-12)
    np.testing.assert_allclose(values[:-rank], 0, atol=1e-12)


def test_a_space_stays_in_the_complement():
    rng = np.random.default_rng(0)
    kept = np.linalg.qr(rng.normal(size=(12, 4)))[0].T
    matrix = np.diag(np.arange(12.0) ** 3)
    basis, _, size = space_of(matrix, rng.normal(size=12), 12, jnp.asarray(kept))
    assert size == 8
    np.testing.assert_allclose(basis @ kept.T, 0, atol=1e-12)


def test_derivatives_pass_through_forwards_and_backwards():
    def mean(curvature):
        space = krylov(lambda v: curvature * v, jnp.ones(3), 2)
        return space.tridiagonal[0, 0]

    curvature = jnp.array([1.0, 2.0, 4.0])
    for derivative in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(jax.jit(derivative(mean))(curvature), np.ones(3) / 3)


def test_missing_rows_come_last_and_mix_with_none():
    matrix = np.full((4, 4), np.nan)
    matrix[np.ix_([0, 2], [0, 2])] = [[-2.0, 1.0], [1.0, -2.0]]
    exists = np.array([True, False, True, False])
    values, vectors = masked_eigh(jnp.asarray(matrix), jnp.asarray(exists))
    np.testing.assert_allclose(values[:2], [-3, -1])
    np.testing.assert_allclose(np.abs(vectors[:, :2]).T, [[0.5**0.5, 0, 0.5**0.5, 0]] * 2)


def test_without_matfree_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matfree", None)
    with pytest.raises(ImportError, match=r'pip install "gdlab\[lab\]"'):
        sharpness(lambda w: jnp.sum(w**2), jnp.ones(2))

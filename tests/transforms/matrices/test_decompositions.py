"""Decompositions alone, in batches and in lanes."""

import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.transforms.matrices.decompositions import (
    eigh,
    largest_singular_value,
    orthonormal_columns,
    solve_upper_transposed,
    svd,
)

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(0)
TALL = RANDOM.normal(size=(2, 3, 5, 4))
SYMMETRIC = np.einsum("abij,abik->abjk", TALL, TALL)
UPPER = np.triu(SYMMETRIC)


def recomposed(matrix):
    values, vectors = eigh(matrix)
    return jnp.einsum("...ij,...j,...kj->...ik", vectors, values, vectors)


CASES = {
    "eigh": (recomposed, (SYMMETRIC,), SYMMETRIC),
    "svd": (lambda x: svd(x)[1], (TALL,), np.linalg.svd(TALL, compute_uv=False)),
    "largest_singular_value": (
        largest_singular_value,
        (TALL,),
        np.linalg.svd(TALL, compute_uv=False)[..., 0],
    ),
    "orthonormal_columns": (
        lambda x: jnp.einsum("...ij,...ik->...jk", *[orthonormal_columns(x)] * 2),
        (TALL,),
        np.broadcast_to(np.eye(4), (2, 3, 4, 4)),
    ),
    "solve_upper_transposed": (
        solve_upper_transposed,
        (UPPER, SYMMETRIC),
        np.linalg.solve(np.swapaxes(UPPER, -1, -2), SYMMETRIC),
    ),
}


@pytest.mark.parametrize("wrap", [lambda f: f, jax.vmap, lambda f: jax.vmap(jax.vmap(f))])
@pytest.mark.parametrize("name", CASES)
def test_batches_and_lanes_are_those_of_numpy(name, wrap):
    function, matrices, expected = CASES[name]
    with jax.numpy_rank_promotion("allow"):
        result = jax.jit(wrap(function))(*map(jnp.asarray, matrices))
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-11)


def test_a_matrix_that_lanes_share_is_taken_in_each():
    upper, right = jnp.asarray(UPPER[0, 0]), jnp.asarray(SYMMETRIC[0])
    lanes = jax.vmap(solve_upper_transposed, in_axes=(None, 0))(upper, right)
    expected = np.linalg.solve(UPPER[0, 0].T, SYMMETRIC[0])
    # Of two equal matrices the solution has zeros, which NumPy rounds.
    np.testing.assert_allclose(lanes, expected, rtol=1e-9, atol=1e-12)


def test_derivatives_are_those_of_differences_alone_and_in_lanes():
    # The largest eigenvalue moves by the square of its eigenvector.
    largest = lambda scale, matrix: eigh(scale * matrix)[0][-1]  # noqa: E731
    matrices = jnp.asarray(SYMMETRIC[0])
    slopes = jax.vmap(jax.grad(largest), in_axes=(None, 0))(2.0, matrices)
    np.testing.assert_allclose(slopes, np.linalg.eigvalsh(SYMMETRIC[0])[:, -1], rtol=1e-12)
    gradient = jax.grad(lambda matrix: largest(1.0, matrix))(matrices[0])
    vector = np.linalg.eigh(SYMMETRIC[0, 0])[1][:, -1]
    np.testing.assert_allclose(gradient, np.outer(vector, vector), rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other devices take batches together")
@pytest.mark.parametrize("name", CASES)
def test_no_batch_of_several_matrices_is_handed_to_a_cpu_at_once(name):
    function, matrices, _ = CASES[name]
    with jax.numpy_rank_promotion("allow"):
        lowered = jax.jit(jax.vmap(function)).lower(*map(jnp.asarray, matrices)).as_text()
    calls = re.findall(r"custom_call @lapack.*?: \(tensor<([\dx]*)xf64>", lowered)
    assert calls
    assert all(len(shape.split("x")) == 2 for shape in calls)


MANY_AT_ONCE = """
import jax, jax.numpy as jnp, numpy as np
from gdlab.transforms.matrices.decompositions import orthonormal_columns

batch = jnp.asarray(np.random.default_rng(0).normal(size=(48, 64, 64)), jnp.float32)
many = jax.jit(lambda x: [orthonormal_columns(x + k) for k in range(32)])
for _ in range(20):
    jax.block_until_ready(many(batch))
"""


@pytest.mark.slow
def test_a_program_of_many_batches_ends():
    subprocess.run([sys.executable, "-c", MANY_AT_ONCE], check=True, timeout=240)

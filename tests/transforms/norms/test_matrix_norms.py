"""Norms and means of the matrices of an array, each by itself."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    fork,
    grafted_matrices,
    identity,
    matrix_norm,
    mean_over_inputs,
    scale_to_rms,
    square,
)
from tests.oracles.method import GRADS

pytestmark = pytest.mark.x64

G = GRADS["cube"][0]
CASES = [(None, (0, 1, 2), ()), ("bio", (1, 2), 1), ("oib", (0, 1), 1), ("ibo", (0, 2), 0)]


def second(_, reduced):
    return jnp.broadcast_to(reduced, G.shape)


def after(tx, g=G):
    g = jnp.asarray(g)
    return tx.update(g, tx.init(g))[0]


@pytest.mark.parametrize(("letters", "axes", "inputs"), CASES)
def test_each_matrix_is_reduced_and_scaled_by_itself(letters, axes, inputs):
    norm = np.sqrt(np.sum(G**2, axis=axes, keepdims=True))
    own = after(fork(second, identity(), matrix_norm(letters)))
    np.testing.assert_allclose(own, np.broadcast_to(norm, G.shape))
    mean = after(fork(second, identity(), mean_over_inputs(letters)))
    np.testing.assert_allclose(
        mean, np.broadcast_to(np.mean(G, axis=inputs, keepdims=True) if letters else G, G.shape)
    )
    scaled = after(scale_to_rms(0.2, letters))
    np.testing.assert_allclose(np.sqrt(np.mean(scaled**2, axis=axes)), 0.2)
    grafted = after(fork(grafted_matrices(letters), identity(), square()))
    of_squares = np.sqrt(np.sum(G**4, axis=axes, keepdims=True))
    np.testing.assert_allclose(grafted, G**2 * norm / of_squares)


def test_zeros_stay_zeros():
    for tx in (scale_to_rms(0.2), fork(grafted_matrices(), identity(), square())):
        np.testing.assert_array_equal(after(tx, 0 * G), 0 * G)

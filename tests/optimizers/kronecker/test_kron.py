"""PSGD: factors that are learned until what they whiten is white."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import gdlab
from gdlab.transforms.matrices.whitening import spectral_norm_bound
from tests.paths import agree

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(11)


def learned(tx, grads):
    """The state after all gradients, with one key for the whole run."""
    key = jax.random.key(1)
    step = lambda state, gradient: (tx.update(gradient, state, key=key)[1], None)  # noqa: E731
    run = jax.jit(lambda grads: jax.lax.scan(step, tx.init(grads[0]), grads)[0])
    return run(jnp.asarray(grads))


def test_factors_whiten_gaussian_gradients():
    left, right = (np.tril(RANDOM.normal(size=(n, n))) + 2 * np.eye(n) for n in (3, 2))
    grads = left @ RANDOM.normal(size=(6000, 3, 2)) @ right.T
    tx = gdlab.scale_by_kron(gdlab.exponential_decay(0.3, 6000, 0.003))
    whole = np.kron(*(np.asarray(q) for q in learned(tx, grads).factors))
    covariance = np.kron(left @ left.T, right @ right.T)
    expected = np.real(scipy.linalg.fractional_matrix_power(covariance, -0.5))
    # The steps end at a thousandth, so that the last thousand gradients are averaged over.
    assert np.linalg.norm(whole.T @ whole - expected) < 0.1 * np.linalg.norm(expected)


def test_with_probes_of_one_size_a_constant_gradient_is_scaled_to_its_sign():
    ones = lambda key, shape, dtype: jnp.ones(shape, dtype)  # noqa: E731
    gradient = np.array([3.0, -1.0, 0.2])
    tx = gdlab.scale_by_kron(0.5, probe=ones)
    state = learned(tx, np.tile(gradient, (600, 1)))
    agree(tx.update(jnp.asarray(gradient), state, key=jax.random.key(0))[0], np.sign(gradient))


def test_factors_are_triangular_and_have_one_largest_entry():
    state = learned(gdlab.scale_by_kron(), RANDOM.normal(size=(20, 4, 3)) * 100)
    left, right = map(np.asarray, state.factors)
    assert not np.tril(left, -1).any()
    assert not np.tril(right, -1).any()
    agree(np.abs(left).max(), np.abs(right).max())


def test_long_axes_and_arrays_of_few_axes_have_diagonal_factors():
    tx = gdlab.scale_by_kron(max_size_triangular=3)
    shapes = {"matrix": (4, 3), "vector": (3,), "number": (), "row": (1, 2)}
    state = tx.init({name: jnp.zeros(shape) for name, shape in shapes.items()})
    assert jax.tree.map(jnp.shape, state.factors) == {
        "matrix": ((4,), (3, 3)),
        "vector": ((3,),),
        "number": ((1,),),
        "row": ((1,), (2, 2)),
    }


def test_factors_learn_once_the_share_asks_for_it():
    tx = gdlab.scale_by_kron(preconditioner_update_probability=0.4)
    state, seen = tx.init(jnp.zeros((2, 2))), []
    for gradient in RANDOM.normal(size=(7, 2, 2)):
        before = state.factors[0]
        _, state = tx.update(jnp.asarray(gradient), state, key=jax.random.key(0))
        seen.append(bool((state.factors[0] != before).any()))
    # 1/0.4 = 2.5 steps are over at every third one.
    assert seen == [False, False, True, False, False, True, False]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("shape", [(), (3,), (3, 2)])
def test_factors_of_an_array_that_never_has_a_gradient_stay_finite(shape):
    # Each update multiplies them by up to 1.5, and 1.5²⁰⁰⁰ is no number of float64.
    state = learned(gdlab.scale_by_kron(0.5), np.zeros((2000, *shape)))
    largest = [float(jnp.abs(q).max()) for q in state.factors]
    assert 1e6 < max(largest) <= 1e9


def test_norm_is_bounded_from_below_and_nearly_met():
    random, size, shares = np.random.default_rng(5), 6, []
    for _ in range(100):
        matrix = random.normal(size=(size, size))
        matrix = matrix @ matrix.T
        bound = float(spectral_norm_bound(jnp.asarray(matrix)))
        shares.append(bound / np.linalg.norm(matrix, 2))
    # |Aᵏ⁺¹e|/|Aᵏe| never falls with k, and the longest row is at least |A|_F/√n long.
    assert size**-0.5 <= min(shares)
    assert max(shares) <= 1 + 1e-12
    assert np.mean(shares) > 0.95


def test_norm_is_found_from_the_longest_row_also_where_its_elements_cancel():
    # The eigenvalues are 4 and 0, of a row whose sum is 0, and 1, of one whose sum is largest.
    matrix = np.array([[2.0, -2.0, 0.0], [-2.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(spectral_norm_bound(jnp.asarray(matrix)), 4.0, rtol=1e-12)

"""CASPR: the Kronecker sum of two roots, applied twice."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(8)


def test_preconditioner_bounds_that_of_shampoo_from_above():
    ours, theirs = (
        gdlab.scale_by_kronecker_roots(eps=1e-2, kronecker_sum=sums) for sums in (True, False)
    )
    states = [ours.init(jnp.zeros((4, 3)))] * 2
    for step in range(10):
        gradient = jnp.asarray(RANDOM.normal(size=(4, 3)))
        made = [tx.update(gradient, s) for tx, s in zip((ours, theirs), states, strict=True)]
        products = [float(jnp.vdot(gradient, update)) for update, _ in made]
        # The factors of one gradient have the same eigenvalues, and then the two are the same.
        assert products[0] > products[1] * (1 + 1e-9 if step else 1 - 1e-9)
        states = [state for _, state in made]


def test_preconditioner_is_bounded_by_the_inverse_root_of_the_full_matrix_times_that_of_the_rank():
    grads = RANDOM.normal(size=(20, 4, 2)) @ RANDOM.normal(size=(20, 2, 3))
    tx = gdlab.scale_by_kronecker_roots(eps=0.0, kronecker_sum=True)
    state = tx.init(jnp.zeros((4, 3)))
    for gradient in grads:
        _, state = tx.update(jnp.asarray(gradient), state)
    left, right = (np.asarray(root[0]) for root in state.roots)
    ours = np.linalg.matrix_power((np.kron(left, np.eye(3)) + np.kron(np.eye(4), right)) / 2, 2)
    values, basis = np.linalg.eigh(sum(np.outer(g, g) for g in grads.reshape(20, -1)))
    full = (basis / np.sqrt(values)) @ basis.T
    assert np.linalg.eigvalsh(np.sqrt(2) * full - ours).min() > 0


def test_it_is_shampoo_where_both_factors_are_alike():
    # Both roots of a multiple of an orthogonal matrix are the same multiple of the identity.
    gradient = 3 * jnp.asarray(np.linalg.qr(RANDOM.normal(size=(4, 4)))[0])
    ours, theirs = gdlab.caspr(0.1), gdlab.shampoo(0.1)
    step, _ = ours.update(gradient, ours.init(gradient))
    other, _ = theirs.update(gradient, theirs.init(gradient))
    np.testing.assert_allclose(step, other, rtol=1e-10, atol=1e-12)


def test_a_start_without_a_graft_is_refused():
    with pytest.raises(ValueError, match="give graft as well"):
        gdlab.caspr(0.1, start=3)

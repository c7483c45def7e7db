"""Dion: orthogonal steps of low rank, which lose nothing of the gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import dion, orthogonalize_low_rank
from tests.oracles.method import GRADS
from tests.paths import gdlab_path

pytestmark = pytest.mark.x64


def along(tx, grads):
    """The updates and the momenta of all steps."""
    update, state, every = jax.jit(tx.update), tx.init(jnp.asarray(grads[0])), []
    for g in grads:
        u, state = update(jnp.asarray(g), state)
        every.append((u, state.mu))
    return tuple(map(np.stack, zip(*every, strict=True)))


@pytest.mark.parametrize("rank", [2, 3, 9])
def test_on_a_constant_gradient_of_its_rank_it_converges_to_the_orthogonal_factor(rank):
    u, sigma, vt = np.linalg.svd(GRADS["wide"][0], full_matrices=False)
    g = (u[:, :rank] * sigma[:rank]) @ vt[:rank]
    updates, _ = along(orthogonalize_low_rank(rank), [g] * 60)
    # Each step shortens the angles to singular vectors by the ratio of neighbouring values.
    rate = (sigma[1:] / sigma[:-1]).max()
    np.testing.assert_allclose(updates[-1], u[:, :rank] @ vt[:rank], atol=10 * rate**60 + 1e-8)


def test_what_is_not_stepped_along_stays_in_the_momentum():
    grads = GRADS["matrix"][:10]
    # At μ = 1 nothing decays.
    _, momenta = along(orthogonalize_low_rank(1, 1.0), grads)
    np.testing.assert_allclose(momenta, np.cumsum(grads, 0), atol=1e-14)
    # At μ = 0 what is taken goes, and it is of rank one.
    _, momenta = along(orthogonalize_low_rank(1, 0.0), grads)
    taken = np.concatenate([np.zeros((1, 4, 3)), momenta[:-1]]) + grads - momenta
    np.testing.assert_allclose(np.linalg.svd(taken)[1][:, 1:], 0, atol=1e-13)
    assert np.linalg.svd(taken)[1][:, 0].min() > 0.1


def test_steps_are_of_the_rank_and_scaling_the_loss_changes_none():
    grads, start = GRADS["wide"][:10], np.zeros((3, 5))
    once, much = (
        gdlab_path(lambda lr: dion(lr, 2, eps=0.0), np.full(10, 0.1), factor * grads, start)
        for factor in (1.0, 1e5)
    )
    np.testing.assert_allclose(once, much, rtol=1e-9)
    values = np.linalg.svd(np.diff(once, axis=0, prepend=0))[1]
    np.testing.assert_allclose(values[:, 2:], 0, atol=1e-15)


def test_matrices_of_a_batch_are_treated_one_by_one():
    grads = GRADS["cube"][:5]
    tx = orthogonalize_low_rank(2, weight_dimension_numbers="bio")
    state = tx.init(jnp.asarray(grads[0]))
    whole, _ = tx.update(jnp.asarray(grads[0]), state)
    for k in range(2):
        alone = orthogonalize_low_rank(2)
        own = alone.init(jnp.asarray(grads[0, k])).replace(basis=state.basis[k])
        np.testing.assert_allclose(
            whole[k], alone.update(jnp.asarray(grads[0, k]), own)[0], atol=1e-14
        )


def test_the_basis_survives_zero_gradients():
    zeros = [np.zeros((3, 5))] * 2
    updates, _ = along(orthogonalize_low_rank(2, eps=0.0), [*zeros, *GRADS["wide"][:2]])
    late, _ = along(orthogonalize_low_rank(2, eps=0.0), GRADS["wide"][:2])
    np.testing.assert_array_equal(updates[:2], 0)
    np.testing.assert_allclose(updates[2:], late, atol=1e-14)

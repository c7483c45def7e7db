"""The noise of noisy gradient descent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab

pytestmark = pytest.mark.x64


def test_noise_is_normal_with_the_variance_of_the_paper_and_independent_from_step_to_step():
    tx, zeros = gdlab.noisy_sgd(2.0, eta=0.3, gamma=0.55), jnp.zeros(40_000)
    state, every = tx.init(zeros), []
    for _ in range(3):
        updates, state = tx.update(zeros, state, key=jax.random.key(1))
        every.append(np.asarray(updates) / 2)
    for t, noise in enumerate(every):
        variance = 0.3 / (1 + t) ** 0.55
        # The variance of n squares of normal numbers deviates by √(2/n), here 0.7 %.
        assert np.var(noise) == pytest.approx(variance, rel=0.03)
        assert np.mean(noise**4) == pytest.approx(3 * variance**2, rel=0.1)
    assert np.abs(np.corrcoef(every) - np.eye(3)).max() < 0.03

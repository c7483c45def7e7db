"""Gaussian noise whose variance falls with time."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import add_noise, chain, minimize, sgd

DRAWS = 40_000


def variances(tx, steps, **extra):
    zeros = jnp.zeros(DRAWS)
    state, found, every = tx.init(zeros), [], []
    for _ in range(steps):
        u, state = tx.update(zeros, state, **extra)
        found.append(float(jnp.var(u)))
        every.append(u)
    return np.array(found), np.stack(every)


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_its_variance_is_that_of_the_paper_and_of_optax():
    key = jax.random.key(0)
    ours, draws = variances(add_noise(0.3, 0.55), 3, key=key)
    theirs, _ = variances(optax.add_noise(0.3, 0.55, key=key), 3)
    expected = 0.3 / (1 + np.arange(3)) ** 0.55
    # A variance of n draws is known to √(2/n).
    rtol = 5 * (2 / DRAWS) ** 0.5
    np.testing.assert_allclose(ours, expected, rtol=rtol)
    np.testing.assert_allclose(theirs, expected, rtol=rtol)
    # One key serves for all steps: the draws of different steps have nothing to do with each other.
    assert np.abs(np.corrcoef(draws) - np.eye(3)).max() < 5 / DRAWS**0.5


def test_it_is_normal():
    _, draws = variances(add_noise(1.0, 0.0), 1, key=jax.random.key(1))
    # The fourth moment of n draws is known to √(96/n).
    assert np.mean(draws**4) == pytest.approx(3, abs=5 * (96 / DRAWS) ** 0.5)


def test_arrays_and_links_draw_apart_and_the_same_key_draws_the_same():
    tx = chain(add_noise(1.0, 0.0), add_noise(1.0, 0.0))
    zeros = {"a": jnp.zeros(DRAWS), "b": jnp.zeros(DRAWS)}
    draw = lambda seed: tx.update(zeros, tx.init(zeros), key=jax.random.key(seed))[0]  # noqa: E731
    one = draw(0)
    assert abs(np.corrcoef(one["a"], one["b"])[0, 1]) < 5 / DRAWS**0.5
    assert float(jnp.var(one["a"])) == pytest.approx(2, rel=5 * (2 / DRAWS) ** 0.5)
    assert (draw(0)["a"] == one["a"]).all()
    assert (draw(1)["a"] != one["a"]).any()


def test_it_needs_a_key_and_minimize_supplies_it():
    tx = chain(add_noise(0.01, 0.0), sgd(0.1))
    with pytest.raises(ValueError, match="keyword key is needed by add_noise"):
        tx.update(jnp.zeros(1), tx.init(jnp.zeros(1)))
    run = minimize(lambda w: 0.5 * jnp.sum(w**2), jnp.zeros(3), tx, steps=5, key=jax.random.key(0))
    assert len(np.unique(run.path)) == 1 + 3 * 5

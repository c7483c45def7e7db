"""Gradients of single examples: clipped, added up, blurred."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from gdlab import (
    differentially_private_aggregate,
    dpsgd,
    per_example_global_norm_clip,
    per_example_layer_norm_clip,
    sgd,
)

pytestmark = pytest.mark.x64

RNG = np.random.default_rng(0)
EXAMPLES = 6
GRADS = {"a": RNG.normal(size=(EXAMPLES, 3)), "b": RNG.normal(size=(EXAMPLES, 2, 2))}
LIKE = {"a": np.zeros(3), "b": np.zeros((2, 2))}


def as_jax(tree):
    return jax.tree.map(jnp.asarray, tree)


def assert_close(one, other, rtol=1e-12):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14), one, other)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("bound", [0.0, 1.0, 2.5, np.inf])
def test_each_example_is_shortened_to_the_bound(bound):
    total, clipped = per_example_global_norm_clip(as_jax(GRADS), bound)
    expected, count = jax.tree.map(np.zeros_like, LIKE), 0
    for example in range(EXAMPLES):
        one = {name: g[example] for name, g in GRADS.items()}
        length = np.sqrt(sum(np.sum(g**2) for g in one.values()))
        factor = min(1.0, bound / length)
        count += factor < 1
        expected = {name: expected[name] + factor * one[name] for name in one}
    assert_close(total, expected)
    assert clipped == count
    with jax.numpy_dtype_promotion("standard"):
        theirs, number = optax.per_example_global_norm_clip(list(as_jax(GRADS).values()), bound)
    assert_close(list(total.values()), theirs)
    assert clipped == number


@pytest.mark.parametrize("uniform", [True, False])
def test_each_array_is_shortened_to_its_share_as_by_optax(uniform):
    total, clipped = per_example_layer_norm_clip(as_jax(GRADS), 2.0, uniform)
    with jax.numpy_dtype_promotion("standard"):
        theirs, number = optax.per_example_layer_norm_clip(as_jax(GRADS), 2.0, uniform)
    assert_close(total, theirs)
    assert jax.tree.map(int, clipped) == jax.tree.map(int, number)


def test_a_bound_that_nothing_reaches_and_no_noise_is_gradient_descent():
    tx, key = dpsgd(0.1, 1e6, 0.0, 0.9, nesterov=True), jax.random.key(0)
    plain = sgd(0.1, 0.9, nesterov=True)
    state, expected_state = tx.init(as_jax(LIKE)), plain.init(as_jax(LIKE))
    for _ in range(3):
        updates, state = tx.update(as_jax(GRADS), state, key=key)
        mean = jax.tree.map(lambda g: jnp.asarray(g.mean(0)), GRADS)
        expected, expected_state = plain.update(mean, expected_state)
    assert_close(updates, expected)


def test_one_example_moves_the_mean_by_twice_its_bound_over_the_batch_at_most():
    tx = differentially_private_aggregate(0.5, 0.0)
    other = {name: np.concatenate([g[:-1], -1e6 * g[-1:]]) for name, g in GRADS.items()}
    one, two = (
        tx.update(as_jax(g), tx.init(as_jax(LIKE)), key=jax.random.key(0))[0]
        for g in (GRADS, other)
    )
    gap = np.sqrt(sum(np.sum((one[name] - two[name]) ** 2) for name in one))
    assert gap == pytest.approx(2 * 0.5 / EXAMPLES, rel=1e-12)


def test_the_noise_has_the_variance_of_the_paper_and_hits_each_element_by_itself():
    tx, n = differentially_private_aggregate(0.5, 3.0), 40_000
    grads = {"a": jnp.zeros((4, n)), "b": jnp.zeros((4, n))}
    noise, _ = tx.update(grads, tx.init(None), key=jax.random.key(0))
    expected = (3.0 * 0.5 / 4) ** 2
    # A variance of n draws is known to √(2/n).
    assert float(jnp.var(noise["a"])) == pytest.approx(expected, rel=5 * (2 / n) ** 0.5)
    assert abs(np.corrcoef(noise["a"], noise["b"])[0, 1]) < 5 / n**0.5


def test_one_key_serves_for_a_whole_run():
    tx, n = differentially_private_aggregate(1.0, 1.0), 10_000
    grads, state, noise = jnp.zeros((1, n)), tx.init(jnp.zeros(n)), []
    for _ in range(2):
        drawn, state = tx.update(grads, state, key=jax.random.key(0))
        noise.append(drawn)
    assert abs(np.corrcoef(*noise)[0, 1]) < 5 / n**0.5


def test_gradients_without_an_axis_of_examples_are_refused():
    tx = differentially_private_aggregate(1.0, 1.0)
    for grads in ({"a": jnp.ones(3), "b": jnp.ones(2)}, {"a": jnp.ones(())}):
        with pytest.raises(ValueError, match="leading axis of examples"):
            tx.update(grads, tx.init(None), key=jax.random.key(0))

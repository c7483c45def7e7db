"""The length of one step in the direction of another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import chain, fork, grafted, identity, scale, scale_by_adam, scale_by_learning_rate, sgd

pytestmark = pytest.mark.x64

RNG = np.random.default_rng(0)
STEPS = 4
GRADS = {"w": RNG.normal(size=(STEPS, 3, 2)), "b": RNG.normal(size=(STEPS, 4))}
ADAM_LIKE_SGD = {
    "length": lambda: chain(sgd(1.0, 0.9), scale(-1.0)),
    "direction": lambda: scale_by_adam(),
}


def path(tx):
    grads = jax.tree.map(jnp.asarray, GRADS)
    first = jax.tree.map(lambda g: jnp.zeros_like(g[0]), grads)

    def step(state, g):
        updates, state = tx.update(g, state)
        return state, updates

    return jax.jit(lambda: jax.lax.scan(step, tx.init(first), grads)[1])()


def test_adam_with_the_step_lengths_of_momentum_has_both_array_by_array():
    length, direction = (make() for make in ADAM_LIKE_SGD.values())
    tx = chain(fork(grafted(), length, direction), scale_by_learning_rate(0.1))
    found, long, turned = path(tx), path(length), path(direction)
    for name in GRADS:
        for step in range(STEPS):
            a, b = long[name][step], turned[name][step]
            expected = -0.1 * np.linalg.norm(a) * b / np.linalg.norm(b)
            np.testing.assert_allclose(found[name][step], expected, rtol=1e-12)


def test_a_step_grafted_onto_itself_is_itself():
    for make in ADAM_LIKE_SGD.values():
        jax.tree.map(
            lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-12),
            path(fork(grafted(), make(), make())),
            path(make()),
        )


def test_the_size_of_the_direction_is_lost_and_that_of_the_length_is_kept():
    long, turned = jnp.asarray([3.0, 4.0]), jnp.asarray([0.0, -1.0])
    for size in (1e-200, 1.0, 1e200):
        # The ratio of the two norms, 10⁴⁰⁰, is no number.
        found = grafted()(size * long, turned / size)
        np.testing.assert_allclose(found, [0.0, -5 * size], rtol=1e-12)


def test_where_one_of_the_steps_is_zero_there_is_none():
    zero = scale(0.0)
    for tx in (fork(grafted(), zero, identity()), fork(grafted(), identity(), zero)):
        assert not any(leaf.any() for leaf in jax.tree.leaves(path(tx)))

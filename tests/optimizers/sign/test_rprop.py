"""The step sizes of Rprop."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path, optax_path, steps_of

pytestmark = pytest.mark.x64


def test_step_of_rprop_is_that_of_this_gradient_and_not_of_the_one_before():
    grads = np.array([[2.0], [5.0], [-1.0], [-1.0], [-3.0]])
    settings = {"learning_rate": np.ones(5), "grads": grads, "params": np.zeros(1)}
    steps = steps_of(gdlab_path(gdlab.rprop, **settings), np.zeros(1))[:, 0]
    agree(steps, [-1.0, -1.2, 0.0, 0.6, 0.72])
    # optax takes each of them one step late.
    late = optax_path(lambda _: optax.rprop(1.0), **settings)
    assert differ(steps_of(late, np.zeros(1))[:, 0], steps)


def test_step_sizes_of_rprop_stay_within_their_bounds():
    tx = gdlab.rprop(0.1, min_step_size=0.02, max_step_size=0.3)
    state = tx.init(jnp.zeros(2))
    for step in range(40):
        # One keeps its sign. The other changes it at every step, and waits in between.
        _, state = tx.update(jnp.array([1.0, (-1.0) ** step]), state)
    agree(state.step_sizes, [0.3, 0.02])


def test_a_schedule_of_the_learning_rate_of_rprop_is_read_at_the_start_alone():
    grads = np.ones((3, 1))
    settings = {"grads": grads, "params": np.zeros(1)}
    constant, falling = (
        gdlab_path(gdlab.rprop, rates, **settings)
        for rates in (np.ones(3), np.array([1.0, 0.1, 0.01]))
    )
    agree(falling, constant)

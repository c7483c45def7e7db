"""ADOPT: a first step that only looks, and a scale that does not know the gradient."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import stable_range
from tests.paths import (
    GRADS,
    STEPS,
    agree,
    differ,
    gdlab_path,
    per_step,
    steps_of,
    torch_path,
)

pytestmark = pytest.mark.x64


@pytest.mark.parametrize("use_clipping", [True, False])
def test_first_step_of_adopt_sets_the_second_moment_and_moves_nothing(use_clipping):
    tx = gdlab.adopt(0.1, use_clipping=use_clipping)
    gradient = jnp.array([3.0, 1e300, 0.0])
    updates, state = tx.update(gradient, tx.init(gradient))
    np.testing.assert_array_equal(updates, np.zeros(3))
    np.testing.assert_array_equal(state.nu[:1], [9.0])


def test_steps_of_adopt_on_a_constant_gradient_are_those_of_an_average_from_zero():
    path = gdlab_path(
        lambda lr: gdlab.adopt(lr, eps=0.0),
        learning_rate=np.ones(40),
        grads=np.full((40, 1), -3.0),
        params=np.zeros(1),
    )
    agree(steps_of(path, np.zeros(1))[:, 0], 1 - 0.9 ** np.arange(40))


def test_adopt_does_not_see_the_scale_of_the_loss():
    make = partial(gdlab.adopt, eps=0.0)
    agree(gdlab_path(make, grads=1e4 * GRADS), gdlab_path(make))


def test_present_gradient_has_no_part_in_its_own_scale():
    """A gradient after zeros is divided by ε, not by its own size, and then clipped."""
    grads = np.array([[1.0], [1.0], [1.0], [1e6]])
    path = gdlab_path(
        lambda lr: gdlab.adopt(lr, b1=0.0, b2=0.5),
        learning_rate=np.ones(4),
        grads=grads,
        params=np.zeros(1),
    )
    agree(steps_of(path, np.zeros(1))[:, 0], [0, -1, -1, -(3**0.25)])


def test_clipping_counts_from_the_first_step_that_moves():
    """pytorch_optimizer counts the step before it, so that its bounds are one step ahead."""
    ahead = torch_path(lambda o, p: o.ADOPT(p, betas=(0.9, 0.9)), module="pytorch_optimizer")
    ours = gdlab_path(partial(gdlab.adopt, b2=0.9))
    assert differ(ours, ahead)
    bounds = per_step(np.arange(1, STEPS + 1) ** 0.25)
    agree(gdlab_path(lambda lr: gdlab.adopt(lr, b2=0.9, clip_value_fn=bounds)), ahead)


@pytest.mark.slow
def test_stable_range_of_adopt_is_that_of_its_average():
    """38/λ at b1 = 0.9, where v is 1.

    The analysis holds the v that a step without gradient leaves, and what divides here is the v
    before that, which is 1/b2.
    """
    low, high = stable_range(gdlab.adopt(0.1), curvature=1.0)
    np.testing.assert_allclose([low, high], [0, 2 * (1 + 0.9) / (1 - 0.9) / 0.9999**0.5], rtol=1e-8)

"""BCOS: the conditional second moment, and what its steps are bounded by."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, LEARNING_RATE, PARAMS, agree, gdlab_path

pytestmark = pytest.mark.x64


def test_the_conditional_second_moment_is_that_of_a_direction_with_a_random_gradient():
    # Given m, d = βm + (1 − β)G for a random G of mean 3 and second moment 25.
    beta, m = 0.9, 2.0
    values, chances = np.array([-1.0, 7.0]), np.array([0.5, 0.5])
    assert (chances @ values, chances @ values**2) == (3, 25)
    exact = chances @ (beta * m + (1 - beta) * values) ** 2
    # The estimate takes g² for 25 and d for 3, so it is right for a g with both.
    g = 5.0
    d = beta * m + (1 - beta) * g
    v = (d / float(gdlab.conditional_ratio(beta, 0.0)(jnp.array(g), jnp.array(m)))) ** 2
    agree(v - exact, 2 * beta * (1 - beta) * m * (d - 3))


def test_on_a_constant_gradient_every_step_has_the_size_of_the_learning_rate():
    grads = np.tile([3.0, -0.5, 1e-4, 0.0, 7.0], (30, 1))
    for mode in ("g", "m", "c"):
        make = lambda lr: gdlab.bcos(lr, mode=mode, weight_decay=0.0, eps=0.0)  # noqa: B023, E731
        steps = np.diff(gdlab_path(make, grads=grads), axis=0, prepend=PARAMS[None])
        agree(steps, -LEARNING_RATE[:, None] * np.sign(grads))


def test_no_element_moves_by_more_than_the_root_of_two_learning_rates():
    spikes = GRADS * np.where(np.arange(len(GRADS)) % 5 == 4, 1e4, 1.0)[:, None]
    for beta in (0.5, 0.9, 0.99):
        make = lambda lr: gdlab.bcos(lr, beta, weight_decay=0.0, eps=0.0)  # noqa: B023, E731
        steps = np.diff(gdlab_path(make, grads=spikes), axis=0, prepend=PARAMS[None])
        assert np.all(np.abs(steps) < np.sqrt(2) * LEARNING_RATE[:, None])


def test_the_scale_of_the_loss_changes_nothing():
    make = lambda lr: gdlab.bcos(lr, eps=0.0)  # noqa: E731
    agree(gdlab_path(make, grads=1e3 * GRADS), gdlab_path(make))


def test_on_gradients_it_is_rmsprop_from_the_first_square():
    make = lambda lr: gdlab.bcos(lr, 0.99, mode="g", weight_decay=0.0, eps=0.0)  # noqa: E731
    rms = lambda lr: gdlab.chain(  # noqa: E731
        gdlab.fork(
            gdlab.ratio(),
            gdlab.identity(),
            gdlab.chain(gdlab.square(), gdlab.from_first(gdlab.ema(0.99))),
        ),
        gdlab.scale_by_learning_rate(lr),
    )
    agree(gdlab_path(make), gdlab_path(rms))


def test_an_unknown_mode_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="mode must be 'g', 'm' or 'c', not 'x'"):
        gdlab.bcos(mode="x")

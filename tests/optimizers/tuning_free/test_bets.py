"""COCOB and Mechanic: bets do not depend on the scale of the loss."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, agree, gdlab_path

pytestmark = pytest.mark.x64


@pytest.mark.parametrize(
    "tx",
    [
        gdlab.cocob(eps=0.0),
        gdlab.mechanize(gdlab.adam(0.1, eps=0.0), eps=0.0, s_init=0.1),
        gdlab.mechanize(gdlab.adam(0.1, eps=0.0), 0.0, eps=0.0, s_init=0.1, num_betas=2),
    ],
    ids=repr,
)
def test_the_scale_of_the_loss_changes_nothing(tx):
    path = gdlab_path(lambda _: tx)
    scaled = gdlab_path(lambda _: tx, grads=1e3 * GRADS)
    # Thirty steps, whose scales are sums with signs.
    np.testing.assert_allclose(scaled, path, rtol=1e-10, atol=1e-12)


def test_the_first_bet_is_one_over_alpha():
    path = gdlab_path(lambda _: gdlab.cocob(alpha=50.0), grads=GRADS[:1], params=0 * PARAMS)
    agree(path[0], -np.sign(GRADS[0]) / 50)


def test_bets_on_one_sign_grow_without_bound_and_turn_with_the_sign():
    grads = np.concatenate([-np.ones((60, 1)), np.ones((60, 1))])
    path = gdlab_path(lambda _: gdlab.cocob(alpha=4.0), grads=grads, params=np.zeros(1))[:, 0]
    assert np.all(np.diff(path[:60]) > 0)
    assert path[59] > 1000 * path[0]
    assert path[-1] < 0.01 * path[59]


def test_a_gradient_that_is_zero_at_first_starts_no_bet():
    path = gdlab_path(lambda _: gdlab.cocob(eps=0.0), grads=0 * GRADS)
    np.testing.assert_array_equal(path, np.tile(PARAMS, (len(GRADS), 1)))


def test_the_first_step_of_mechanic_is_that_of_its_base_times_the_first_scale():
    tx = gdlab.mechanize(gdlab.sgd(1.0), s_init=0.25)
    agree(gdlab_path(lambda _: tx, grads=GRADS[:1])[0], PARAMS - 0.25 * GRADS[0])


def test_mechanic_finds_the_scale_of_a_base_that_is_far_too_timid():
    loss = lambda w: jnp.sum((w - 3.0) ** 2)  # noqa: E731
    minimize = partial(gdlab.minimize, loss, jnp.zeros(2), steps=300)
    timid = gdlab.sgd(1e-4)
    tuned = minimize(tx=gdlab.mechanize(timid, s_init=1e-3))
    assert loss(tuned.params) < 0.1 < loss(minimize(tx=timid).params)

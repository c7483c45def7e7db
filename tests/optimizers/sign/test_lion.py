"""The laws of Lion and of its degenerate cases."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, agree, differ, gdlab_path, path_down

pytestmark = pytest.mark.x64

lion = partial(gdlab.lion, b1=0.8, b2=0.95, weight_decay=0.1)


@pytest.mark.parametrize("make", [lion, gdlab.signum, gdlab.sign_sgd, gdlab.rprop])
def test_scale_of_the_gradients_does_not_matter(make):
    agree(gdlab_path(make, grads=1e-7 * GRADS), gdlab_path(make))


@pytest.mark.parametrize("make", [gdlab.sign_sgd, gdlab.rprop])
def test_scale_of_each_gradient_by_itself_does_not_matter(make):
    scales = np.geomspace(1e-3, 1e3, GRADS.size).reshape(GRADS.shape)
    agree(gdlab_path(make, grads=scales * GRADS), gdlab_path(make))


def test_lion_whose_two_decays_are_equal_is_signum():
    equal = gdlab_path(partial(gdlab.lion, b1=0.8, b2=0.8, weight_decay=0.0))
    agree(equal, gdlab_path(partial(gdlab.signum, beta=0.8)))
    assert differ(equal, gdlab_path(partial(gdlab.lion, b1=0.8, b2=0.95, weight_decay=0.0)))


def test_lion_and_signum_without_memory_are_sign_sgd_which_is_adam_without_any():
    plain = gdlab_path(gdlab.sign_sgd)
    agree(gdlab_path(partial(gdlab.lion, b1=0.0, weight_decay=0.0)), plain)
    agree(gdlab_path(partial(gdlab.signum, beta=0.0)), plain)
    agree(gdlab_path(partial(gdlab.adam, b1=0.0, b2=0.0, eps=0.0)), plain)


def test_decay_holds_the_weights_of_lion_within_its_inverse():
    start = jnp.asarray(PARAMS)
    path = path_down(gdlab.lion(0.1, weight_decay=0.5), lambda w: -jnp.ones_like(w), start, 200)
    assert np.all(np.abs(path) <= 3.0)
    np.testing.assert_allclose(path[-1], 2.0, rtol=1e-3)


def test_its_average_is_kept_under_the_name_of_the_field():
    state = gdlab.lion(0.1).init(jnp.asarray(PARAMS))
    assert state.mu.shape == PARAMS.shape

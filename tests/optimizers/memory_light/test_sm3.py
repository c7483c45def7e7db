"""SM3: bounds of the sums of squares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, gdlab_path

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(13)
GRADS = RANDOM.normal(size=(20, 4, 3))


def bounds(grads, **settings):
    tx = gdlab.sum_by_covers(**settings)
    state, every = tx.init(jnp.asarray(grads[0])), []
    for gradient in jnp.asarray(grads):
        bound, state = tx.update(gradient, state)
        every.append(np.asarray(bound))
    return np.stack(every), state


def test_bounds_are_no_less_than_the_sums_and_never_fall():
    found, state = bounds(GRADS**2)
    assert (found >= np.cumsum(GRADS**2, axis=0) * (1 - 1e-12)).all()
    assert (np.diff(found, axis=0) >= 0).all()
    assert jax.tree.map(jnp.shape, state.covers) == ((4, 1), (1, 3))


def test_on_a_vector_it_is_adagrad():
    grads, params = GRADS[:, 0], GRADS[0, 0]
    rates = np.full(len(grads), 0.1)
    adagrad = gdlab_path(lambda lr: gdlab.adagrad(lr, 0.0, 1e-8), rates, grads, params)
    agree(gdlab_path(lambda lr: gdlab.sm3(lr, 0.0), rates, grads, params), adagrad)


def test_squares_that_are_alike_in_rows_are_summed_exactly():
    squares = np.broadcast_to(GRADS[..., :1] ** 2, GRADS.shape)
    agree(bounds(squares)[0], np.cumsum(squares, axis=0))


def test_with_a_decay_it_is_an_average():
    ones = np.ones((5, 4, 3))
    agree(bounds(ones, b2=0.9)[0][:, 0, 0], 1 - 0.9 ** np.arange(1, 6))

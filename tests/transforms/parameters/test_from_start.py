"""Displacements from the initial parameters."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import apply_updates, chain, ema, from_start, scale, trace
from tests.paths import agree, gdlab_path

pytestmark = pytest.mark.x64


def test_a_sum_of_gradients_that_is_counted_from_the_start_is_gradient_descent():
    dual = lambda lr: chain(scale(-0.1), trace(1.0), from_start())  # noqa: E731
    agree(gdlab_path(dual), gdlab_path(lambda lr: gdlab.sgd(0.1)))


def test_momentum_averages_the_places_to_which_the_input_leads():
    # w_{t+1} = β·w_t + (1 − β)·(w₀ + d) is an average of displacements that starts at w₀.
    averaged = chain(scale(-0.1), trace(1.0), ema(0.75), from_start())
    by_places = chain(scale(-0.1), trace(1.0), from_start(0.75))
    agree(gdlab_path(lambda lr: by_places), gdlab_path(lambda lr: averaged))


def test_in_low_precision_the_place_does_not_drift():
    w, tx = jnp.ones(2, jnp.bfloat16), from_start()
    state = tx.init(w)
    for step in range(300):
        displacement = jnp.full(2, 0.001 * (step + 1), jnp.float32)
        updates, state = tx.update(displacement, state, w)
        w = apply_updates(w, updates)
    np.testing.assert_allclose(w.astype(float), 1.3, atol=2**-8)

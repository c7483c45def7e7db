"""Fromage: relative changes, and norms that do not grow."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.oracles.method import GRADS, PARAMS
from tests.paths import agree, gdlab_path, path_down

KERNEL = PARAMS["matrix"]
path = partial(gdlab_path, gdlab.fromage, np.full(5, 0.1))


@pytest.mark.x64
def test_scale_of_gradients_does_not_matter_and_that_of_weights_scales_the_path():
    plain = path(GRADS["matrix"][:5], KERNEL)
    agree(path(1e-5 * GRADS["matrix"][:5], KERNEL), plain)
    agree(path(GRADS["matrix"][:5], 10 * KERNEL), 10 * plain)


@pytest.mark.x64
def test_norm_of_weights_stays_where_gradients_are_orthogonal_to_them():
    turn = lambda w: jnp.array([-w[1], w[0]])  # noqa: E731
    points = path_down(gdlab.fromage(0.1), turn, jnp.array([3.0, 4.0]), 100)
    agree(np.linalg.norm(points, axis=1), 5.0)


def test_growth_is_compensated_where_the_square_of_the_rate_is_below_rounding():
    tx = gdlab.compensate_growth(1e-4)
    update, _ = tx.update(jnp.zeros(1), tx.init(jnp.ones(1)), jnp.ones(1))
    np.testing.assert_allclose(update, -0.5e-8, rtol=1e-5)

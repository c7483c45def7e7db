"""Optimistic gradient descent on games and on quadratics."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import stable_range
from tests.paths import agree, gdlab_path, path_down

pytestmark = pytest.mark.x64


def field(players):
    """What descends along min over x, max over y of x·y."""
    x, y = players
    return jnp.array([y, -x])


def test_on_a_bilinear_game_it_spirals_in_where_gradient_descent_spirals_out():
    start, eta, steps = jnp.array([1.0, 1.0]), 0.3, 200
    out = path_down(gdlab.sgd(eta), field, start, steps)
    agree(np.linalg.norm(out, axis=1), np.sqrt(2) * (1 + eta**2) ** (np.arange(steps + 1) / 2))
    path = path_down(gdlab.optimistic_gradient_descent(eta), field, start, steps)
    assert np.linalg.norm(path[-1]) < 1e-3


def test_without_optimism_it_is_gradient_descent():
    plain = gdlab_path(gdlab.sgd)
    agree(gdlab_path(partial(gdlab.optimistic_gradient_descent, beta=0.0)), plain)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 2.0), (2.0, 0.1)])
def test_stable_range_is_that_of_its_docstring(alpha, beta):
    tx = gdlab.optimistic_gradient_descent(0.01, alpha, beta)
    _, high = stable_range(tx, curvature=3.0)
    assert high == pytest.approx(2 / ((alpha + 2 * beta) * 3), rel=1e-6)

"""Quadratic functions are known as such, and others are not."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.page.quadratic import quadratic_of

pytestmark = pytest.mark.x64

HESSIAN = np.array([[3.0, 1.0], [1.0, 2.0]])
CENTER = np.array([2.0, -1.0])


def bowl(w):
    return 0.5 * (w - CENTER) @ jnp.asarray(HESSIAN) @ (w - CENTER) + 7.0


def test_a_quadratic_is_told_by_its_hessian_minimum_and_modes():
    found = quadratic_of(bowl)
    assert found is not None
    np.testing.assert_allclose(found.hessian, HESSIAN, rtol=1e-12)
    np.testing.assert_allclose(found.center, CENTER, rtol=1e-12)
    np.testing.assert_allclose(found.lowest, 7.0, rtol=1e-12)
    # λ² − 5λ + 5 = 0
    np.testing.assert_allclose(found.curvatures, (5 + np.array([-1, 1]) * 5**0.5) / 2, rtol=1e-12)
    np.testing.assert_allclose(
        HESSIAN @ found.directions, found.directions * found.curvatures, rtol=1e-9
    )


def test_a_saddle_has_no_least_value_and_a_valley_has_one():
    saddle = quadratic_of(lambda w: w[0] ** 2 - w[1] ** 2)
    valley = quadratic_of(lambda w: (w[0] - 3) ** 2 + 0.0 * w[1])
    assert saddle is not None
    assert saddle.lowest is None
    assert valley is not None
    np.testing.assert_allclose(valley.lowest, 0.0, atol=1e-12)
    np.testing.assert_allclose(valley.center, [3, 0], atol=1e-12)


@pytest.mark.parametrize(
    "fun",
    [
        lambda w: (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2,
        lambda w: jnp.sum(jnp.where(jnp.abs(w) < 1, w**2, 2 * jnp.abs(w) - 1)),
        lambda w: w[0] + 2 * w[1],
        lambda w: w[0] ** 2 + w[1],
        lambda w: jnp.sum(jnp.log(w)),
    ],
    ids=["rosenbrock", "huber", "plane", "slope in a flat direction", "nowhere finite"],
)
def test_other_functions_are_not_taken_for_quadratic_ones(fun):
    assert quadratic_of(fun) is None

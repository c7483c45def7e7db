"""Critical points of functions whose kinds are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import classify_critical_point

pytestmark = pytest.mark.x64


def himmelblau(w):
    return (w[0] ** 2 + w[1] - 11) ** 2 + (w[0] + w[1] ** 2 - 7) ** 2


def test_the_spectrum_tells_the_kind():
    kinds = {
        (3.0, 2.0): "minimum",
        (-0.27084459066, -0.92303855585): "maximum",
        (0.0866775045557, 2.88425470175): "saddle",
    }
    for point, kind in kinds.items():
        assert classify_critical_point(himmelblau, jnp.array(point)) == kind


@pytest.mark.parametrize("loss", [lambda w: w[0] ** 4 + w[1] ** 2, lambda w: 0.0 * w[0] + 1.0])
def test_where_curvature_vanishes_the_kind_is_open(loss):
    assert classify_critical_point(loss, jnp.zeros(2)) == "degenerate"


def diagonal(w, curvature):
    return 0.5 * curvature @ w**2


def test_the_kind_does_not_depend_on_the_scale():
    for kind, curvature in (
        ("saddle", np.r_[-1.0, 0.0, np.ones(98)]),
        ("degenerate", np.r_[0.0, 0.0, -np.ones(98)]),
        ("minimum", 1e-12 * np.linspace(1, 2, 100)),
        ("maximum", -1e12 * np.linspace(0.1, 1, 100)),
        ("saddle", np.r_[-1e-3, np.linspace(0.01, 1, 99)]),
    ):
        assert classify_critical_point(diagonal, jnp.zeros(100), curvature) == kind


def test_the_loss_over_data_is_that_of_all_batches():
    curvature = jnp.array([-1.0, -1.0, 5.0])
    loss = lambda w, c: jnp.mean(c) * w**2  # noqa: E731
    assert classify_critical_point(loss, jnp.array(0.0), curvature, batch_size=2) == "minimum"


def square(w):
    return jnp.sum(w**2)


def test_a_point_that_is_not_critical_is_refused_with_its_gradient():
    with pytest.raises(ValueError, match=r"no critical point: the gradient has the norm 0\.2"):
        classify_critical_point(square, jnp.array([0.1]))
    kind = classify_critical_point(square, jnp.array([0.1]), gradient_tolerance=0.3)
    assert kind == "minimum"


def test_a_slope_without_curvature_is_refused():
    with pytest.raises(ValueError, match="no critical point"):
        classify_critical_point(lambda w: 1e-9 * jnp.sum(w), jnp.ones(2))


def test_small_curvature_can_be_called_none():
    arguments = diagonal, jnp.zeros(2), jnp.array([1.0, 1e-3])
    assert classify_critical_point(*arguments) == "minimum"
    assert classify_critical_point(*arguments, curvature_tolerance=1e-2) == "degenerate"


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="the gradient is not finite"):
        classify_critical_point(lambda w: jnp.log(w), jnp.array(0.0))
    with pytest.raises(ValueError, match="the Hessian is not finite"):
        classify_critical_point(lambda w: w**1.5, jnp.array(0.0))

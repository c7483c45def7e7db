"""Each trap catches the method that it was made for, and not the others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import problems

pytestmark = pytest.mark.x64


def path_of(problem, tx, steps):
    return np.asarray(gdlab.minimize(problem, problem.start, tx, steps).path)


def test_slope_of_the_heavy_ball_trap_is_the_one_of_the_paper():
    problem = problems.heavy_ball_cycle()
    x = np.linspace(-3, 5, 81)
    expected = np.select([x < 1, x < 2], [25 * x, x + 24], 25 * x - 24)
    np.testing.assert_allclose(jax.vmap(jax.grad(problem))(jnp.asarray(x)), expected, rtol=1e-13)


def test_values_of_the_heavy_ball_trap_are_the_integral_of_its_slope():
    problem = problems.heavy_ball_cycle()
    x = np.linspace(-2, 4, 60_001)
    slope = np.select([x < 1, x < 2], [25 * x, x + 24], 25 * x - 24)
    integral = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) / 2 * np.diff(x))])
    values = np.asarray(jax.vmap(problem)(jnp.asarray(x)))
    # A kink within an interval costs the trapezoidal rule the square of its length.
    np.testing.assert_allclose(values - values[0], integral, rtol=0, atol=1e-6)


def test_heavy_ball_with_polyaks_parameters_ends_in_the_cycle_of_three():
    path = path_of(problems.heavy_ball_cycle(), gdlab.sgd(1 / 9, 4 / 9), 200)
    cycle = np.array([-2208, 792, 2592]) / 1225
    np.testing.assert_allclose(np.sort(path[-3:]), cycle, rtol=1e-12)


@pytest.mark.parametrize(
    "tx",
    [gdlab.sgd(1 / 9 * 18 / 26), gdlab.sgd(1 / 25, 4 / 6, nesterov=True)],
    ids=["gradient descent", "Nesterov"],
)
def test_other_methods_pass_the_trap_of_the_heavy_ball(tx):
    assert abs(path_of(problems.heavy_ball_cycle(), tx, 300)[-1]) < 1e-6


def cyclic_ends(method):
    """Where a method ends on the pieces of Reddi's function in their own order."""
    problem = problems.rare_large_gradient()
    tx = gdlab.chain(method, gdlab.project_onto_box(*problem.box))
    x, state = jnp.asarray(problem.start), tx.init(jnp.asarray(problem.start))
    pieces = jnp.tile(jnp.asarray(problem.data), 400)

    def step(carry, piece):
        x, state = carry
        updates, state = tx.update(jax.grad(problem)(x, piece[None]), state, x)
        return (x + updates, state), None

    (x, _), _ = jax.lax.scan(step, (x, state), pieces)
    return float(x)


def test_adam_climbs_where_the_large_gradient_is_rare_and_amsgrad_does_not():
    assert cyclic_ends(gdlab.adam(0.01, b1=0.0, b2=0.1)) > 0.97
    assert cyclic_ends(gdlab.amsgrad(0.01, b1=0.0, b2=0.1)) < -0.97


def test_rare_large_gradient_follows_the_loop_of_the_paper():
    # Algorithm 1 with the first average off, ψ the second one, and the projection written out.
    x, v = 0.0, 0.0
    for step, g in enumerate([3.0, -1.0, -1.0] * 400, 1):
        v = 0.1 * v + 0.9 * g * g
        x = min(1.0, max(-1.0, x - 0.01 * g / (np.sqrt(v / (1 - 0.1**step)) + 1e-8)))
    assert cyclic_ends(gdlab.adam(0.01, b1=0.0, b2=0.1)) == pytest.approx(x, abs=1e-9)


@pytest.mark.parametrize("tx", [gdlab.sgd(0.02), gdlab.sgd(0.02, 0.9)])
def test_rotation_turns_the_path_of_momentum(tx):
    problem, turn = problems.quadratic([1.0, 50.0]), problems.random_rotation(2)
    turned = path_of(problems.rotated(problem, turn), tx, 30)
    np.testing.assert_allclose(turned, path_of(problem, tx, 30) @ turn.T, atol=1e-12)


def test_rotation_changes_the_path_of_adam():
    problem, turn = problems.quadratic([1.0, 50.0]), 0.6
    tx = gdlab.adam(0.1)
    straight = path_of(problem, tx, 30)
    turned = path_of(problems.rotated(problem, turn), tx, 30)
    assert np.abs(np.linalg.norm(turned, axis=1) - np.linalg.norm(straight, axis=1)).max() > 0.1


def test_adam_does_not_notice_the_unit_of_the_values_and_gradient_descent_does():
    problem = problems.beale()
    larger = problems.rescaled(problem, value=1000.0)
    adam = gdlab.adam(0.1, eps=0.0)
    np.testing.assert_allclose(path_of(larger, adam, 50), path_of(problem, adam, 50), rtol=1e-9)
    sgd = gdlab.sgd(1e-4)
    assert np.abs(path_of(larger, sgd, 3) - path_of(problem, sgd, 3)).max() > 0.1


def test_adadelta_does_not_notice_the_unit_of_the_parameters_if_eps_is_rescaled():
    # The two ε stand beside a squared step, in units⁻², and a squared gradient, in units²: with a
    # zero start of the averages only one factor can be had, so the values are rescaled as well.
    problem, units = problems.beale(), 8.0
    other = problems.rescaled(problem, value=units**-2, units=units)
    one, same = gdlab.adadelta(1.0, eps=1e-4), gdlab.adadelta(1.0, eps=1e-4 / units**2)
    np.testing.assert_allclose(
        units * path_of(other, same, 50), path_of(problem, one, 50), rtol=1e-9
    )


def test_projection_keeps_every_element_in_its_box():
    tx = gdlab.chain(gdlab.sgd(0.5), gdlab.project_onto_box(-1.0, 0.25))
    target = jnp.array([3.0, -0.5, -2.0])
    run = gdlab.minimize(lambda w: 0.5 * jnp.sum((w - target) ** 2), jnp.zeros(3), tx, 60)
    np.testing.assert_allclose(run.params, [0.25, -0.5, -1.0], atol=1e-12)
    assert float(run.path.max()) <= 0.25
    assert float(run.path.min()) >= -1.0

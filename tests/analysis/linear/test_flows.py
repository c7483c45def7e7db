"""Differential equations of small steps, against matrix exponentials, SciPy and the iterates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

import gdlab
from gdlab.analysis import gradient_flow, heavy_ball_flow
from tests.sweeps.counting import count_compilations

pytestmark = pytest.mark.x64(rank_promotion="allow")

HESSIAN = np.array([[3.0, 1.0, 0.2], [1.0, 2.0, -0.5], [0.2, -0.5, 0.7]])
START = np.array([1.0, -2.0, 0.5])
TIMES = np.array([0.0, 0.1, 0.75, 2.0, 6.0])
FRICTION = 0.4


def quadratic(w):
    return 0.5 * w @ (jnp.asarray(HESSIAN) @ w)


def valley(w):
    return jnp.sum((w**2 - 1) ** 2) / 4 + 0.5 * (w[0] - w[1]) ** 2


def valley_gradient(w):
    return w * (w**2 - 1) + np.array([w[0] - w[1], w[1] - w[0]])


def test_gradient_flow_on_a_quadratic_is_a_matrix_exponential():
    found = gradient_flow(quadratic, jnp.asarray(START), TIMES)
    expected = np.stack([scipy.linalg.expm(-HESSIAN * t) @ START for t in TIMES])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_heavy_ball_flow_on_a_quadratic_is_a_matrix_exponential():
    for friction in (0.0, FRICTION, 5.0):
        found = heavy_ball_flow(quadratic, jnp.asarray(START), TIMES, friction)
        field = np.block([[np.zeros((3, 3)), np.eye(3)], [-HESSIAN, -friction * np.eye(3)]])
        start = np.concatenate([START, np.zeros(3)])
        expected = np.stack([(scipy.linalg.expm(field * t) @ start)[:3] for t in TIMES])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_flows_off_quadratics_are_those_of_scipy():
    start = np.array([0.1, -1.7])
    exact = {"t_eval": TIMES, "rtol": 1e-12, "atol": 1e-12, "method": "DOP853"}
    found = gradient_flow(valley, jnp.asarray(start), TIMES)
    solved = scipy.integrate.solve_ivp(lambda _, w: -valley_gradient(w), (0, 6), start, **exact)
    np.testing.assert_allclose(found, solved.y.T, atol=1e-9)

    def field(_, state):
        return np.concatenate([state[2:], -FRICTION * state[2:] - valley_gradient(state[:2])])

    found = heavy_ball_flow(valley, jnp.asarray(start), TIMES, FRICTION)
    solved = scipy.integrate.solve_ivp(field, (0, 6), [*start, 0, 0], **exact)
    np.testing.assert_allclose(found, solved.y[:2].T, atol=1e-8)


def gaps(make, path):
    """How far iterates are from a path at 201 times up to 4, for three sizes of steps."""
    found = []
    for stride in (1, 2, 4):
        tx, start = make(0.02 / stride), jnp.array([0.1, -1.7])
        iterates = gdlab.minimize(valley, start, tx, 200 * stride).path[::stride]
        found.append(np.abs(np.asarray(iterates) - path).max())
    return np.array(found)


def test_iterates_approach_the_flow_in_proportion_to_the_step():
    start, times = jnp.array([0.1, -1.7]), np.linspace(0, 4, 201)
    down = np.asarray(gradient_flow(valley, start, times))
    rolling = np.asarray(heavy_ball_flow(valley, start, times, FRICTION))
    for make, path in (
        (gdlab.sgd, down),
        (lambda h: gdlab.sgd(h**2, momentum=1 - FRICTION * h), rolling),
        (lambda h: gdlab.sgd(h**2, momentum=1 - FRICTION * h, nesterov=True), rolling),
    ):
        found = gaps(make, path)
        # Halving the step halves the gap: order one.
        np.testing.assert_allclose(np.log2(found[:-1] / found[1:]), 1, atol=0.15)
    # Along the flow the function falls throughout.
    assert (np.diff(jax.vmap(valley)(down)) < 0).all()


def test_trees_come_back_as_trees_in_their_dtypes():
    def fun(params):
        return jnp.sum(params["a"] ** 2) + jnp.sum(params["b"] ** 2)

    start = {"a": jnp.ones(2, jnp.float32), "b": jnp.ones((), jnp.float32)}
    with jax.enable_x64(False):
        down = gradient_flow(fun, start, [0.0, 0.5])
        rolling = heavy_ball_flow(fun, start, [0.0, 0.5], 2.0)
    for found in (down, rolling):
        assert found["a"].shape == (2, 2)
        assert found["b"].shape == (2,)
        assert found["a"].dtype == jnp.float32
    np.testing.assert_allclose(down["b"], [1, np.exp(-1)], rtol=1e-5)
    # s² + 2s + 2 = 0 at −1 ± i.
    np.testing.assert_allclose(
        rolling["b"], [1, np.exp(-0.5) * (np.cos(0.5) + np.sin(0.5))], rtol=1e-5
    )


def test_times_may_start_anywhere_and_neither_they_nor_friction_compile_anew():
    start = jnp.asarray(START)
    found = {}

    def later():
        found["descent"] = gradient_flow(quadratic, start, TIMES + 3)
        found["heavy ball"] = heavy_ball_flow(quadratic, start, TIMES + 3, 2 * FRICTION)

    gradient_flow(quadratic, start, TIMES)
    heavy_ball_flow(quadratic, start, TIMES, FRICTION)
    assert count_compilations(later) == 0
    expected = gradient_flow(quadratic, start, TIMES)
    np.testing.assert_allclose(found["descent"], expected, atol=1e-10)
    expected = heavy_ball_flow(quadratic, start, TIMES, 2 * FRICTION)
    np.testing.assert_allclose(found["heavy ball"], expected, atol=1e-10)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.0], "times must be at least two numbers"),
        ([0.0, 0.0, 1.0], "times must rise"),
        ([1.0, 0.0], "times must rise"),
        (3.0, "times must be a list of numbers"),
        ([0.0, np.nan], "times must be finite"),
    ],
)
def test_times_that_do_not_rise_are_refused(times, message):
    for flow in (gradient_flow, lambda *args: heavy_ball_flow(*args, 1.0)):
        with pytest.raises(ValueError, match=message):
            flow(quadratic, jnp.asarray(START), times)

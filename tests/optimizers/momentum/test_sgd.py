"""Nesterov's two forms, and where the heavy ball fails; all else of sgd is in the tables."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests import references as ref
from tests.paths import LEARNING_RATE, PARAMS, STEPS, agree, differ, gdlab_path, path_down, per_step

RISING = np.linspace(0.5, 0.95, STEPS)
CURVATURES = np.array([0.1, 1.0, 3.0, 0.5, 2.0])


def gradient(w):
    """Of a function that is convex and not quadratic, so that its gradient is not linear."""
    return CURVATURES * w + w**3 / (1 + w**2)


LOOK_AHEAD = {
    "accumulating": (
        gdlab.nesterov,
        lambda decays: partial(ref.nesterov_look_ahead, momentum=decays),
    ),
    "averaging": (
        partial(gdlab.nesterov, averaging=True),
        lambda decays: partial(ref.nesterov_look_ahead_averaging, decay=decays),
    ),
    "inside": (
        partial(gdlab.nesterov, learning_rate_in_momentum=True),
        lambda decays: partial(ref.nesterov_look_ahead_inside, momentum=decays),
    ),
}


@pytest.mark.x64
@pytest.mark.parametrize("decays", [0.9, RISING], ids=["constant momentum", "rising momentum"])
@pytest.mark.parametrize("name", LOOK_AHEAD)
def test_look_ahead_takes_the_steps_of_the_paper(name, decays):
    make, paper = LOOK_AHEAD[name]
    rates = LEARNING_RATE / 3  # within the limit of stability
    tx = make(per_step(rates), per_step(decays))
    path = path_down(tx, gradient, jnp.asarray(PARAMS), STEPS)
    agree(path[1:], paper(decays)(gradient, PARAMS, learning_rate=rates))


@pytest.mark.x64
@pytest.mark.parametrize("nesterov", [False, True])
def test_averaging_momentum_is_accumulating_momentum_at_one_minus_beta_times_the_rate(nesterov):
    beta = 0.8
    averaging, accumulating = (
        gdlab_path(partial(gdlab.sgd, momentum=beta, nesterov=nesterov, **kind), rates)
        for kind, rates in (({"averaging": True}, LEARNING_RATE), ({}, (1 - beta) * LEARNING_RATE))
    )
    agree(averaging, accumulating)


@pytest.mark.x64
@pytest.mark.parametrize("averaging", [False, True])
def test_rewritten_nesterov_is_the_look_ahead_form_seen_from_the_look_ahead_point(averaging):
    eta, beta = 0.1, 0.9
    shared = {"momentum": beta, "averaging": averaging}
    start = jnp.asarray(PARAMS)
    w = np.asarray(path_down(gdlab.nesterov(eta, **shared), gradient, start, 30))
    y = np.asarray(path_down(gdlab.sgd(eta, nesterov=True, **shared), gradient, start, 30))
    assert differ(w, y)
    # w̃ = w − ηβv, and ηv is the last step.
    agree(y[1:], w[1:] + beta * np.diff(w, axis=0))


@pytest.mark.x64
def test_gradient_is_taken_at_the_look_ahead_point_and_the_one_given_is_not_used():
    eta, beta = 0.1, 0.9
    tx = gdlab.nesterov(eta, beta)
    w, velocity = np.array(1.0), np.array(0.0)
    state = tx.init(jnp.asarray(w))
    for _ in range(3):
        unused = jnp.array(jnp.nan)
        updates, state = tx.update(unused, state, jnp.asarray(w), grad_fn=lambda w: w**3)
        velocity = beta * velocity + (w - eta * beta * velocity) ** 3
        agree(updates, -eta * velocity)
        w = w - eta * velocity


@pytest.mark.parametrize("missing", ["params", "grad_fn"])
def test_look_ahead_says_what_it_needs(missing):
    tx = gdlab.nesterov(0.1)
    given = {"params": jnp.ones(2), "grad_fn": lambda w: w} | {missing: None}
    with pytest.raises(ValueError, match=missing):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)), **given)


# Where the heavy ball with Polyak's parameters goes round in a circle: L. Lessard, B. Recht,
# A. Packard, Analysis and design of optimization algorithms via integral quadratic constraints,
# 2016, section 4.6. The function is strongly convex with curvatures 1 and 25.


def gradient_with_a_kink(x):
    return jnp.where(x < 1, 25 * x, jnp.where(x < 2, x + 24, 25 * x - 24))


@pytest.mark.x64
def test_heavy_ball_with_polyaks_parameters_cycles_on_a_strongly_convex_function():
    path = path_down(gdlab.sgd(1 / 9, 4 / 9), gradient_with_a_kink, jnp.array(3.3), 300)
    cycle = np.array([792, -2208, 2592]) / 1225
    agree(np.sort(path[-3:]), np.sort(cycle))


@pytest.mark.x64
@pytest.mark.parametrize(
    "tx",
    [gdlab.sgd(2 / 26), gdlab.sgd(1 / 25, 2 / 3, nesterov=True), gdlab.nesterov(1 / 25, 2 / 3)],
    ids=["gradient descent", "Nesterov, rewritten", "Nesterov, looking ahead"],
)
def test_gradient_descent_and_nesterov_converge_where_the_heavy_ball_cycles(tx):
    path = path_down(tx, gradient_with_a_kink, jnp.array(3.3), 300)
    assert abs(path[-1]) < 1e-9

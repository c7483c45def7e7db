"""Section 3 of the lecture: momentum's conventions, Nesterov's look-ahead, annealing, circuits."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import circuit
from tests import references as ref
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    PARAMS,
    STEPS,
    agree,
    differ,
    gdlab_path,
    path_down,
    per_step,
)

pytestmark = pytest.mark.x64

CONSTANT = np.full(STEPS, 0.05)
BETA = 0.9

accumulating = partial(gdlab.sgd, momentum=BETA)
averaging = partial(gdlab.sgd, momentum=BETA, averaging=True)
inside = partial(gdlab.sgd, momentum=BETA, learning_rate_in_momentum=True)


# L19 – L21: three conventions


def test_L19_momentum_in_the_averaging_form():
    a, w = np.zeros_like(PARAMS), PARAMS
    for g, eta, ours in zip(GRADS, LEARNING_RATE, gdlab_path(averaging), strict=True):
        a = BETA * a + (1 - BETA) * g
        w = w - eta * a
        agree(ours, w)


def test_L20_momentum_in_the_accumulating_form():
    v, w = np.zeros_like(PARAMS), PARAMS
    for g, eta, ours in zip(GRADS, LEARNING_RATE, gdlab_path(accumulating), strict=True):
        v = BETA * v + g
        w = w - eta * v
        agree(ours, w)


@pytest.mark.parametrize("rates", [CONSTANT, LEARNING_RATE], ids=["constant", "varying"])
def test_L20_both_forms_have_the_same_path_with_the_learning_rate_scaled_by_one_minus_beta(rates):
    scaled = gdlab_path(accumulating, learning_rate=(1 - BETA) * rates)
    agree(gdlab_path(averaging, learning_rate=rates), scaled)


def test_L20_forms_agree_where_gradients_answer_to_the_path():
    gradient = lambda w: jnp.asarray([1.0, 4.0, 2.0, 0.5, 3.0]) * w  # noqa: E731
    paths = [
        path_down(tx, gradient, jnp.asarray(PARAMS), 100)
        for tx in (gdlab.sgd(0.1, BETA), gdlab.sgd(1.0, BETA, averaging=True))
    ]
    agree(*paths)


def test_L21_learning_rate_inside_the_velocity_is_the_same_while_it_is_constant():
    agree(gdlab_path(inside, CONSTANT), gdlab_path(accumulating, CONSTANT))


def test_L21_learning_rate_inside_the_velocity_differs_under_a_schedule():
    assert differ(gdlab_path(inside), gdlab_path(accumulating))
    v, w = np.zeros_like(PARAMS), PARAMS
    for g, alpha, ours in zip(GRADS, LEARNING_RATE, gdlab_path(inside), strict=True):
        v = BETA * v + alpha * g
        w = w - v
        agree(ours, w)


def test_L21_learning_rate_that_drops_to_zero_stops_one_form_and_not_the_other():
    rates = np.where(np.arange(STEPS) < 5, 0.1, 0.0)
    moving = np.abs(np.diff(gdlab_path(inside, rates), axis=0)).max(axis=1)
    stopped = np.abs(np.diff(gdlab_path(accumulating, rates), axis=0)).max(axis=1)
    assert (moving[5:] > 1e-3).all()
    assert (stopped[5:] == 0).all()


# L22: beyond the limit of plain gradient descent

CURVATURES = np.array([1.0, 10.0, 100.0])


def quadratic_gradient(w):
    return jnp.asarray(CURVATURES) * w


def descend(tx, steps):
    return path_down(tx, quadratic_gradient, jnp.ones(3), 1000)[: steps + 1]


@pytest.mark.parametrize("averaged", [False, True])
def test_L22_momentum_converges_with_a_learning_rate_at_which_plain_descent_diverges(averaged):
    eta = 1.8 * 2 / CURVATURES[-1]
    momentum = gdlab.sgd(eta / (1 - BETA) if averaged else eta, BETA, averaging=averaged)
    assert np.abs(descend(gdlab.sgd(eta), 400)[-1]).max() > 1e100
    # √0.9 a step is 7e-10 after 400.
    assert np.abs(descend(momentum, 400)[-1]).max() < 1e-7


def test_L22_slow_directions_converge_faster_with_momentum():
    def steps_to_a_millionth(tx):
        return int((np.abs(descend(tx, 1000)).max(axis=1) > 1e-6).sum())

    L, mu = CURVATURES[-1], CURVATURES[0]
    kappa = L / mu
    plain = steps_to_a_millionth(gdlab.sgd(2 / (L + mu)))
    heavy = steps_to_a_millionth(
        gdlab.sgd((2 / (L**0.5 + mu**0.5)) ** 2, ((kappa**0.5 - 1) / (kappa**0.5 + 1)) ** 2)
    )
    # ln 10⁶/ln(101/99) and ln 10⁶/ln(11/9), the latter late by its double pole's k.
    assert plain == pytest.approx(691, abs=2)
    assert 69 < heavy < 100


def test_L22_flat_direction_gains_a_factor_of_one_over_one_minus_beta():
    eta = 0.01 / CURVATURES[-1]
    plain, heavy = (np.asarray(descend(tx, 300)) for tx in (gdlab.sgd(eta), gdlab.sgd(eta, BETA)))
    rate = lambda path: np.log(path[300, 0] / path[200, 0]) / 100  # noqa: E731
    # To first order in ηλ = 1e-4 the slow pole is 1 − ηλ/(1 − β).
    assert rate(heavy) / rate(plain) == pytest.approx(1 / (1 - BETA), rel=0.02)


# L23: Nesterov


def gradient(w):
    return jnp.asarray([1.0, 4.0, 2.0, 0.5, 3.0]) * w + w**3 / (1 + w**2)


def look_ahead_path(make, steps=40):
    return np.asarray(path_down(make(0.05), gradient, jnp.asarray(PARAMS), steps))


def test_L23_nesterov_in_the_averaging_form_evaluates_the_gradient_at_w_minus_eta_beta_a():
    a, w = np.zeros_like(PARAMS), PARAMS
    for ours in look_ahead_path(partial(gdlab.nesterov, momentum=BETA, averaging=True))[1:]:
        a = BETA * a + (1 - BETA) * np.asarray(gradient(jnp.asarray(w - 0.05 * BETA * a)))
        w = w - 0.05 * a
        agree(ours, w)


def test_L23_nesterov_with_the_learning_rate_inside_evaluates_the_gradient_at_theta_minus_beta_v():
    v, theta = np.zeros_like(PARAMS), PARAMS
    make = partial(gdlab.nesterov, momentum=BETA, learning_rate_in_momentum=True)
    for ours in look_ahead_path(make)[1:]:
        v = BETA * v + 0.05 * np.asarray(gradient(jnp.asarray(theta - BETA * v)))
        theta = theta - v
        agree(ours, theta)


@pytest.mark.parametrize("averaged", [False, True])
def test_L23_rewritten_form_is_the_look_ahead_point_of_the_real_one(averaged):
    shared = {"momentum": BETA, "averaging": averaged}
    real = look_ahead_path(partial(gdlab.nesterov, **shared))
    rewritten = look_ahead_path(partial(gdlab.sgd, nesterov=True, **shared))
    assert differ(real, rewritten)
    # w − ηβv, with the last step for −ηv.
    agree(rewritten[1:], real[1:] + BETA * np.diff(real, axis=0))


def test_L23_look_ahead_is_not_heavy_ball():
    assert differ(
        look_ahead_path(partial(gdlab.nesterov, momentum=BETA)),
        look_ahead_path(partial(gdlab.sgd, momentum=BETA)),
    )


# L24: annealing


def test_L24_momentum_is_annealed_from_a_half_to_nine_tenths_by_any_schedule():
    annealed = gdlab.linear_schedule(0.5, 0.9, STEPS - 1)
    path = gdlab_path(lambda lr: gdlab.sgd(lr, annealed))
    momentum = np.linspace(0.5, 0.9, STEPS)
    agree(path, ref.heavy_ball(GRADS, PARAMS, learning_rate=LEARNING_RATE, momentum=momentum))


def test_L24_momentum_in_force_can_be_read_off():
    tx = gdlab.sgd(0.1, gdlab.linear_schedule(0.5, 0.9, 4))
    state = tx.init(jnp.zeros(1))
    seen = []
    for _ in range(6):
        seen.append(float(gdlab.hyperparameters(tx, state)["momentum"]))
        _, state = tx.update(jnp.ones(1), state)
    agree(seen, [0.5, 0.6, 0.7, 0.8, 0.9, 0.9])


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "make",
    [
        lambda schedule: gdlab.adam(0.1, b1=schedule),
        lambda schedule: gdlab.adam(0.1, b2=schedule),
        lambda schedule: gdlab.adam(0.1, eps=schedule),
        lambda schedule: gdlab.rmsprop(0.1, decay=schedule),
        lambda schedule: gdlab.adadelta(rho=schedule),
        lambda schedule: gdlab.adamw(1.0, weight_decay=schedule),
        lambda schedule: gdlab.clip_by_global_norm(schedule),
    ],
    ids=["b1", "b2", "eps", "decay", "rho", "weight_decay", "max_norm"],
)
def test_L24_any_hyperparameter_takes_a_schedule(make):
    values = [0.5, 0.9]
    params, scheduled = jnp.asarray(PARAMS), make(per_step(values))
    state, own = scheduled.init(params), make(values[0]).init(params)
    for value, g in zip(values, jnp.asarray(GRADS[:2]), strict=True):
        before = own
        updates, state = scheduled.update(g, state, params)
        expected, own = make(value).update(g, before, params)
        agree(updates, expected)
    assert differ(updates, make(values[0]).update(g, before, params)[0])


# L25: ravines, saddles, shallow minima


def test_L25_across_a_ravine_gradients_cancel_and_along_it_they_add_up():
    eta = 1.98 / 100
    shrink = 1 - eta * np.array([1.0, 100.0])
    gradients = shrink ** np.arange(200)[:, None]
    remember = gdlab.trace(BETA)
    state = remember.init(jnp.zeros(2))
    for gradient in gradients:
        velocity, state = remember.update(jnp.asarray(gradient), state)
    # Σₖ (β/r)ᵏ, of which less than (0.9/0.98)²⁰⁰ is missing.
    law = 1 / (1 - BETA / shrink)
    np.testing.assert_allclose(velocity / gradients[-1], law, rtol=1e-6)
    assert law[0] > 10
    assert 0.5 < law[1] < 0.53


def test_L25_momentum_leaves_a_saddle_by_the_larger_root_and_sooner():
    saddle, eta = gdlab.problems.saddle(), 0.02
    distance = {
        beta: np.abs(gdlab.minimize(saddle, saddle.start, tx, 200).path[:, 1])
        for beta, tx in ((0.0, gdlab.sgd(eta)), (BETA, gdlab.sgd(eta, BETA)))
    }
    for beta, y in distance.items():
        # The curvature there is −2: z² − (1 + β + 2η)z + β.
        root = np.roots([1, -(1 + beta + 2 * eta), beta]).max()
        np.testing.assert_allclose(y[101:] / y[100:-1], root, rtol=1e-3)
    steps = {beta: np.argmax(y > 1) for beta, y in distance.items()}
    assert steps[0.0] == np.ceil(np.log(1000) / np.log(1 + 2 * eta))
    assert steps[BETA] < steps[0.0] / 3


def test_L25_momentum_rolls_through_a_shallow_minimum_in_which_plain_descent_stops():
    camel, start = gdlab.problems.three_hump_camel(), jnp.array([2.1, 0.5])
    plain = gdlab.minimize(camel, start, gdlab.sgd(0.02), 400).params
    heavy = gdlab.minimize(camel, start, gdlab.sgd(0.02, BETA), 400).params
    np.testing.assert_allclose(plain, camel.local_minimisers[1], atol=1e-3)
    np.testing.assert_allclose(heavy, camel.minimisers[0], atol=1e-3)


# L26: the circuit


MODE = 3.0


def mode_gradient(w):
    return MODE * w


def mode_path(tx, steps):
    return np.asarray(path_down(tx, mode_gradient, jnp.ones(()), 2000))[: steps + 1]


def test_L26_descent_is_a_resistor_beside_an_inductor_with_one_time_constant():
    for eta in (1e-3, 1e-4):
        found = circuit(gdlab.sgd(eta), MODE)
        tau = found.inductance / found.resistance
        assert tau == pytest.approx(1 / (eta * MODE))
        t = np.arange(1001)
        np.testing.assert_allclose(mode_path(gdlab.sgd(eta), 1000), np.exp(-t / tau), atol=2 * eta)


def test_L26_momentum_adds_a_capacitor_and_with_it_damping_and_oscillation():
    h = 0.01
    for friction, zeta in ((0.5, 0.5 / (2 * MODE**0.5)), (8.0, 8 / (2 * MODE**0.5))):
        tx = gdlab.sgd(h**2, 1 - friction * h)
        found = circuit(tx, MODE)
        assert found.damping_ratio == pytest.approx(zeta, rel=0.05)
        assert found.natural_frequency == pytest.approx(h * MODE**0.5, rel=0.05)
        path = mode_path(tx, 1000)
        assert (path.min() < -0.1) == (zeta < 1)
        np.testing.assert_allclose(path, found.response(np.arange(1001)), atol=0.02)


def test_L26_iterates_approach_the_response_as_the_steps_shrink():
    gaps = []
    for h in (0.02, 0.01, 0.005):
        tx, steps = gdlab.sgd(h**2, 1 - 0.8 * h), round(5 / h)
        response = circuit(tx, MODE).response(np.arange(steps + 1))
        gaps.append(np.abs(mode_path(tx, steps) - response).max())
    np.testing.assert_allclose(np.divide(gaps[1:], gaps[:-1]), 0.5, atol=0.05)


def test_L26_circuit_is_stable_at_every_learning_rate_and_the_iteration_is_not():
    for tx in (gdlab.sgd(2.1 / MODE), gdlab.sgd(3.9 / MODE, BETA)):
        times = np.arange(2001)
        assert np.abs(circuit(tx, MODE).response(times))[-1] < 1e-10
        assert np.abs(mode_path(tx, 2000))[-1] > 1e10

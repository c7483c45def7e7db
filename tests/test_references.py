"""The references themselves, against libraries, closed forms and each other.

A reference that misreads its paper would pass its error on to gdlab, so none is trusted on one
library's word: each is compared with every library that follows the paper, and with arithmetic.
"""

from functools import partial

import numpy as np
import optax
import pytest
import scipy.linalg

from tests import references as ref
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    PARAMS,
    STEPS,
    agree,
    differ,
    optax_path,
    steps_of,
    torch_path,
)

CONSTANT_RATE = np.full(STEPS, 0.05)


# Against torch


rmsprop_torch = partial(ref.rmsprop, eps_in_sqrt=False, learning_rate_in_buffer=False)
rmsprop_centered_torch = partial(
    ref.rmsprop_centered, eps_in_sqrt=False, learning_rate_in_buffer=False
)
nadam_torch = partial(ref.nadam, scheduled_average=False)

AS_TORCH = {
    "gradient_descent": (ref.gradient_descent, lambda o, p: o.SGD(p)),
    "heavy_ball": (partial(ref.heavy_ball, momentum=0.9), lambda o, p: o.SGD(p, momentum=0.9)),
    "nesterov_rewritten": (
        partial(ref.nesterov_rewritten, momentum=0.9),
        lambda o, p: o.SGD(p, momentum=0.9, nesterov=True),
    ),
    "adagrad": (partial(ref.adagrad, eps=1e-3), lambda o, p: o.Adagrad(p, eps=1e-3)),
    "adagrad from an accumulator": (
        partial(ref.adagrad, initial_accumulator_value=0.1, eps=1e-10),
        lambda o, p: o.Adagrad(p, initial_accumulator_value=0.1),
    ),
    "adadelta": (
        partial(ref.adadelta, rho=0.9, eps=1e-3),
        lambda o, p: o.Adadelta(p, rho=0.9, eps=1e-3),
    ),
    "rmsprop": (
        partial(rmsprop_torch, decay=0.99, eps=1e-3),
        lambda o, p: o.RMSprop(p, alpha=0.99, eps=1e-3),
    ),
    "rmsprop with momentum": (
        partial(rmsprop_torch, decay=0.9, momentum=0.8),
        lambda o, p: o.RMSprop(p, alpha=0.9, momentum=0.8),
    ),
    "rmsprop_centered": (
        partial(rmsprop_centered_torch, decay=0.9),
        lambda o, p: o.RMSprop(p, alpha=0.9, centered=True),
    ),
    "rmsprop_centered with momentum": (
        partial(rmsprop_centered_torch, decay=0.95, eps=1e-3, momentum=0.8),
        lambda o, p: o.RMSprop(p, alpha=0.95, eps=1e-3, momentum=0.8, centered=True),
    ),
    "adam": (
        partial(ref.adam, b1=0.8, b2=0.95, eps=1e-3),
        lambda o, p: o.Adam(p, betas=(0.8, 0.95), eps=1e-3),
    ),
    "adamw": (
        partial(ref.adamw, weight_decay=0.1),
        lambda o, p: o.AdamW(p, weight_decay=0.1),
    ),
    "amsgrad": (
        partial(ref.amsgrad, b2=0.9, eps=1e-3),
        lambda o, p: o.Adam(p, betas=(0.9, 0.9), eps=1e-3, amsgrad=True),
    ),
    "adamax": (
        partial(ref.adamax, b2=0.9, eps=1e-3),
        lambda o, p: o.Adamax(p, betas=(0.9, 0.9), eps=1e-3),
    ),
    "nadam": (nadam_torch, lambda o, p: o.NAdam(p)),
    "nadam, Keras's schedule": (
        partial(nadam_torch, psi=1.0),
        lambda o, p: o.NAdam(p, momentum_decay=1.0),
    ),
    "nadam without a schedule": (
        partial(ref.nadam, psi=np.inf),
        lambda o, p: o.NAdam(p, momentum_decay=1e6),
    ),
}


@pytest.mark.parametrize("name", AS_TORCH)
def test_reference_takes_the_steps_of_torch(name):
    reference, make = AS_TORCH[name]
    agree(reference(GRADS, PARAMS, learning_rate=LEARNING_RATE), torch_path(make))


# Against optax


AS_OPTAX = {
    "gradient_descent": (ref.gradient_descent, optax.sgd),
    "heavy_ball": (partial(ref.heavy_ball, momentum=0.9), partial(optax.sgd, momentum=0.9)),
    "heavy_ball_averaging": (
        partial(ref.heavy_ball_averaging, decay=0.9),
        lambda lr: optax.chain(optax.ema(0.9, debias=False), optax.scale_by_learning_rate(lr)),
    ),
    "heavy_ball_inside": (
        partial(ref.heavy_ball_inside, momentum=0.9),
        lambda lr: optax.chain(optax.scale_by_learning_rate(lr), optax.trace(0.9)),
    ),
    "nesterov_rewritten": (
        partial(ref.nesterov_rewritten, momentum=0.9),
        partial(optax.sgd, momentum=0.9, nesterov=True),
    ),
    "nesterov_rewritten_inside": (
        partial(ref.nesterov_rewritten_inside, momentum=0.9),
        lambda lr: optax.chain(optax.scale_by_learning_rate(lr), optax.trace(0.9, nesterov=True)),
    ),
    "adagrad": (
        partial(ref.adagrad, initial_accumulator_value=0.1, eps=1e-3, eps_in_sqrt=True),
        partial(optax.adagrad, initial_accumulator_value=0.1, eps=1e-3),
    ),
    "adagrad from zero": (
        partial(ref.adagrad, eps=1e-7, eps_in_sqrt=True),
        partial(optax.adagrad, initial_accumulator_value=0.0),
    ),
    "adadelta": (
        partial(ref.adadelta, rho=0.9, eps=1e-3),
        partial(optax.adadelta, rho=0.9, eps=1e-3),
    ),
    "rmsprop": (partial(ref.rmsprop, eps=1e-3), partial(optax.rmsprop, eps=1e-3)),
    "rmsprop with ε after the root": (
        partial(ref.rmsprop, eps=1e-3, eps_in_sqrt=False, initial_scale=0.2),
        partial(optax.rmsprop, eps=1e-3, eps_in_sqrt=False, initial_scale=0.2),
    ),
    "rmsprop with bias correction and momentum": (
        partial(ref.rmsprop, bias_correction=True, momentum=0.8),
        partial(optax.rmsprop, bias_correction=True, momentum=0.8),
    ),
    "rmsprop with Nesterov momentum": (
        partial(ref.rmsprop, momentum=0.8, nesterov=True),
        partial(optax.rmsprop, momentum=0.8, nesterov=True),
    ),
    "rmsprop_graves": (
        ref.rmsprop_graves,
        partial(optax.rmsprop, centered=True, decay=0.95, eps=1e-4, momentum=0.9),
    ),
    "rmsprop_centered": (
        partial(ref.rmsprop_centered, eps=1e-3, initial_scale=0.2, momentum=0.8),
        partial(optax.rmsprop, centered=True, eps=1e-3, initial_scale=0.2, momentum=0.8),
    ),
    "rmsprop_centered with bias correction": (
        partial(ref.rmsprop_centered, eps=1e-3, initial_scale=0.2, bias_correction=True),
        partial(optax.rmsprop, centered=True, eps=1e-3, initial_scale=0.2, bias_correction=True),
    ),
    "adam": (
        partial(ref.adam, b1=0.8, b2=0.95, eps=1e-3),
        partial(optax.adam, b1=0.8, b2=0.95, eps=1e-3),
    ),
    "adam with ε inside the root": (
        partial(ref.adam, eps=1e-3, eps_in_sqrt=True),
        partial(optax.adam, eps=0.0, eps_root=1e-3),
    ),
    "adamw": (
        partial(ref.adamw, weight_decay=0.1),
        partial(optax.adamw, weight_decay=0.1),
    ),
    "amsgrad on the corrected average": (
        partial(ref.amsgrad, b2=0.9, eps=1e-3, maximum_of_corrected=True),
        partial(optax.amsgrad, b2=0.9, eps=1e-3),
    ),
    "amsgrad, the paper's": (
        partial(ref.amsgrad, b2=0.9, eps=1e-3, bias_correction=False),
        partial(
            optax.amsgrad, b2=0.9, eps=1e-3, bias_correction_mu=False, bias_correction_nu=False
        ),
    ),
    "adamax": (
        partial(ref.adamax, b2=0.9, eps=1e-3),
        partial(optax.adamax, b2=0.9, eps=1e-3),
    ),
    "nadam without a schedule": (
        partial(ref.nadam, b1=0.8, psi=np.inf),
        partial(optax.nadam, b1=0.8),
    ),
}


@pytest.mark.parametrize("name", AS_OPTAX)
def test_reference_takes_the_steps_of_optax(name):
    reference, make = AS_OPTAX[name]
    agree(reference(GRADS, PARAMS, learning_rate=LEARNING_RATE), optax_path(make))


# Where the libraries leave the papers or each other


def test_amsgrad_of_torch_of_optax_and_of_the_paper_are_three_methods():
    amsgrad = partial(ref.amsgrad, GRADS, PARAMS, learning_rate=LEARNING_RATE, b2=0.9)
    raw, corrected, paper = (
        amsgrad(),
        amsgrad(maximum_of_corrected=True),
        amsgrad(bias_correction=False),
    )
    assert differ(raw, corrected)
    assert differ(raw, paper)
    assert differ(corrected, paper)


def test_nadam_of_torch_averages_with_another_decay_than_dozats():
    nadam = partial(ref.nadam, GRADS, PARAMS, learning_rate=LEARNING_RATE)
    assert differ(nadam(), nadam(scheduled_average=False))
    assert differ(nadam(scheduled_average=False), nadam(scheduled_average=False, psi=1.0))


def test_adadelta_of_optax_without_a_learning_rate_ascends():
    uphill = optax_path(lambda _: optax.adadelta())
    downhill = ref.adadelta(GRADS, PARAMS, learning_rate=np.ones(STEPS), rho=0.9)
    agree(uphill - PARAMS, PARAMS - downhill)


def test_the_difference_of_averages_loses_the_variance_that_the_sum_of_squares_keeps():
    # The squares are 1e12, so that their difference resolves 1e-4, which is the variance itself.
    steps, decay, eps = 600, 0.9, 1e-3
    deviations = 1e-2 * np.random.default_rng(3).normal(size=steps)
    grads = 1e6 + deviations
    weights = (1 - decay) * decay ** np.arange(steps)[::-1]
    variance = weights @ (deviations - weights @ deviations) ** 2
    exact = -grads[-1] / np.sqrt(variance + eps)

    rmsprop = {"learning_rate": np.ones(steps), "decay": decay, "eps": eps, "momentum": 0.0}
    kept = steps_of(ref.rmsprop_centered(grads, 0.0, **rmsprop), 0.0)[-1]
    lost = steps_of(ref.rmsprop_graves(grads, 0.0, **rmsprop), 0.0)[-1]
    # The gradients themselves are rounded to 1e-10, a 1e-8 of their deviations.
    np.testing.assert_allclose(kept, exact, rtol=1e-7)
    assert abs(lost / exact - 1) > 1e-2


# Against each other: the identities between conventions


def quadratic(theta):
    return np.array([1.0, 4.0, 0.5, 2.0, 0.0]) * theta


def test_averaging_form_is_the_accumulating_form_at_a_smaller_learning_rate():
    averaging = ref.heavy_ball_averaging(GRADS, PARAMS, learning_rate=LEARNING_RATE, decay=0.9)
    agree(averaging, ref.heavy_ball(GRADS, PARAMS, learning_rate=0.1 * LEARNING_RATE, momentum=0.9))


def test_averaging_look_ahead_is_the_accumulating_one_at_a_smaller_learning_rate():
    averaging = ref.nesterov_look_ahead_averaging(
        quadratic, PARAMS, learning_rate=LEARNING_RATE, decay=0.9
    )
    accumulating = ref.nesterov_look_ahead(
        quadratic, PARAMS, learning_rate=0.1 * LEARNING_RATE, momentum=0.9
    )
    agree(averaging, accumulating)


INSIDE_AND_OUTSIDE = {
    "heavy_ball": (ref.heavy_ball_inside, ref.heavy_ball),
    "nesterov_look_ahead": (ref.nesterov_look_ahead_inside, ref.nesterov_look_ahead),
    "nesterov_rewritten": (ref.nesterov_rewritten_inside, ref.nesterov_rewritten),
    "rmsprop": (ref.rmsprop, partial(ref.rmsprop, learning_rate_in_buffer=False)),
    "rmsprop_centered with Nesterov momentum": (
        partial(ref.rmsprop_centered, nesterov=True),
        partial(ref.rmsprop_centered, nesterov=True, learning_rate_in_buffer=False),
    ),
}


@pytest.mark.parametrize("name", INSIDE_AND_OUTSIDE)
def test_learning_rate_inside_the_velocity_matters_only_when_it_varies(name):
    inside, outside = (
        partial(method, quadratic, PARAMS, momentum=0.9) for method in INSIDE_AND_OUTSIDE[name]
    )
    agree(inside(learning_rate=CONSTANT_RATE), outside(learning_rate=CONSTANT_RATE))
    assert differ(inside(learning_rate=LEARNING_RATE), outside(learning_rate=LEARNING_RATE))


def test_rewritten_nesterov_walks_the_look_ahead_points():
    beta = 0.9
    settings = {"learning_rate": LEARNING_RATE, "momentum": beta}
    path = ref.nesterov_look_ahead_inside(quadratic, PARAMS, **settings)
    look_ahead_points = path + beta * steps_of(path, PARAMS)
    agree(look_ahead_points, ref.nesterov_rewritten_inside(quadratic, PARAMS, **settings))


def test_momentum_methods_on_a_quadratic_obey_their_second_order_recurrences():
    eta, beta, curvature = 0.05, 0.9, quadratic(1.0)
    settings = {"learning_rate": np.full(STEPS, eta), "momentum": beta}
    ball = ref.heavy_ball(quadratic, PARAMS, **settings)
    agree(ball[2:], (1 + beta - eta * curvature) * ball[1:-1] - beta * ball[:-2])
    nesterov = ref.nesterov_look_ahead(quadratic, PARAMS, **settings)
    agree(
        nesterov[2:],
        (1 - eta * curvature) * ((1 + beta) * nesterov[1:-1] - beta * nesterov[:-2]),
    )


def test_look_ahead_under_a_varying_learning_rate_by_hand():
    settings = {"learning_rate": [0.5, 0.25], "momentum": 0.5}
    # v = 1, θ = 1/2; then the gradient is taken at 1/2 − 1/4 · 1/2 · 1, and v = 1/2 + 3/8.
    outside = ref.nesterov_look_ahead(lambda theta: theta, 1.0, **settings)
    agree(outside, [0.5, 0.5 - 0.25 * 0.875])
    # v = 1/2, θ = 1/2; then the gradient is taken at 1/2 − 1/2 · 1/2, and v = 1/4 + 1/4 · 1/4.
    inside = ref.nesterov_look_ahead_inside(lambda theta: theta, 1.0, **settings)
    agree(inside, [0.5, 0.5 - 0.3125])


def test_momentum_may_vary_from_step_to_step():
    momentum = np.array([0.5, 0.9])
    path = ref.heavy_ball(np.ones((2, 1)), [0.0], learning_rate=np.ones(2), momentum=momentum)
    agree(path[:, 0], [-1.0, -1.0 - (0.9 + 1.0)])


def test_efficient_adam_is_algorithm_1_with_an_epsilon_that_falls():
    eps_hat, b2 = 1e-2, 0.95
    efficient = ref.adam_efficient(GRADS, PARAMS, learning_rate=LEARNING_RATE, b2=b2, eps=eps_hat)
    eps = eps_hat / np.sqrt(1 - b2 ** np.arange(1, STEPS + 1))
    agree(efficient, ref.adam(GRADS, PARAMS, learning_rate=LEARNING_RATE, b2=b2, eps=eps))


def test_adam_without_a_first_average_is_bias_corrected_rmsprop():
    agree(
        ref.adam(GRADS, PARAMS, learning_rate=LEARNING_RATE, b1=0.0, b2=0.9, eps=1e-3),
        ref.rmsprop(
            GRADS,
            PARAMS,
            learning_rate=LEARNING_RATE,
            decay=0.9,
            eps=1e-3,
            eps_in_sqrt=False,
            bias_correction=True,
        ),
    )


def test_bias_correction_fixes_constants_under_a_varying_decay():
    gradient = np.full((STEPS, 1), 3.0)
    decay = np.linspace(0.5, 0.99, STEPS)
    path = ref.adam(gradient, [0.0], learning_rate=CONSTANT_RATE, b1=decay, b2=decay[::-1], eps=0)
    agree(steps_of(path, [0.0])[:, 0], -CONSTANT_RATE)


def test_centered_rmsprop_is_graves_where_nothing_cancels():
    settings = {"learning_rate": LEARNING_RATE, "decay": 0.9, "eps": 1e-4, "momentum": 0.9}
    agree(
        ref.rmsprop_centered(GRADS, PARAMS, **settings),
        ref.rmsprop_graves(GRADS, PARAMS, **settings),
    )


def test_bias_corrected_centered_rmsprop_sees_the_spread_and_not_the_mean():
    grads = np.random.default_rng(4).normal(size=(STEPS, 1))
    settings = {"learning_rate": np.ones(STEPS), "eps": 1e-2, "bias_correction": True}
    steps = steps_of(ref.rmsprop_centered(grads, [0.0], **settings), [0.0])
    shifted = steps_of(ref.rmsprop_centered(grads + 7.0, [0.0], **settings), [0.0])
    agree(shifted / steps, (grads + 7.0) / grads, rtol=1e-10)


def test_nadam_with_a_schedule_that_stands_still_is_nadam_without_one():
    still = ref.nadam(GRADS, PARAMS, learning_rate=LEARNING_RATE, b1=0.8, psi=0.0)
    agree(still, ref.nadam(GRADS, PARAMS, learning_rate=LEARNING_RATE, b1=0.4, psi=np.inf))


def test_dozats_average_of_a_constant_lacks_the_product_of_its_decays():
    psi, t = 0.5, np.arange(1, STEPS + 2)
    mu = 0.9 * (1 - 0.5 * 0.96 ** (psi * t))
    lacking = np.cumprod(mu)
    average = mu[1:] * (1 - lacking[:-1]) / (1 - lacking[1:]) + (1 - mu[:-1]) / (1 - lacking[:-1])
    path = ref.nadam(GRADS[:, 3], 0.0, learning_rate=CONSTANT_RATE, b1=0.9, psi=psi, eps=0.0)
    agree(steps_of(path, 0.0), CONSTANT_RATE * average)


def test_adamax_places_of_epsilon_agree_on_a_constant_gradient_alone():
    adamax = partial(ref.adamax, learning_rate=LEARNING_RATE, b2=0.9, eps=0.1)
    agree(adamax(GRADS[:, 3], 0.0), adamax(GRADS[:, 3], 0.0, eps_in_max=False))
    assert differ(adamax(GRADS[:, 1], 0.0), adamax(GRADS[:, 1], 0.0, eps_in_max=False))


def test_adamax_with_epsilon_at_the_division_by_hand():
    path = ref.adamax(
        [2.0, -1.0], 0.0, learning_rate=[1.0, 1.0], b1=0.5, b2=0.75, eps=0.5, eps_in_max=False
    )
    # m = 1, u = 2, correction 1/2; then m = 0, u = max(1.5, 1).
    agree(path, [-2 / 2.5, -2 / 2.5])


def test_full_matrix_adagrad_on_one_hot_gradients_is_the_diagonal_form():
    one_hot = GRADS * np.eye(len(PARAMS))[np.arange(STEPS) % len(PARAMS)]
    for settings in ({}, {"eps": 1e-2}, {"eps": 1e-2, "eps_in_sqrt": True}):
        full, diagonal = (
            method(one_hot, PARAMS, learning_rate=LEARNING_RATE, **settings)
            for method in (ref.full_matrix_adagrad, ref.adagrad)
        )
        agree(full, diagonal)


@pytest.mark.parametrize("eps_in_sqrt", [False, True])
def test_full_matrix_adagrad_divides_by_the_matrix_root(eps_in_sqrt):
    grads, params = GRADS[:, :4], PARAMS[:4]  # G is regular without the zero column
    path = ref.full_matrix_adagrad(
        grads, params, learning_rate=LEARNING_RATE, eps=0.1, eps_in_sqrt=eps_in_sqrt
    )
    inside, after = (0.1, 0.0) if eps_in_sqrt else (0.0, 0.1)
    H = scipy.linalg.sqrtm(grads.T @ grads + inside * np.eye(4)) + after * np.eye(4)
    agree(steps_of(path, params)[-1], -LEARNING_RATE[-1] * np.linalg.solve(H, grads[-1]))


def test_full_matrix_adagrad_turns_with_the_problem_and_the_diagonal_form_does_not():
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(5, 5)))[0]
    adagrad = {"learning_rate": LEARNING_RATE, "eps": 1e-2}
    turned = ref.full_matrix_adagrad(GRADS @ rotation, PARAMS @ rotation, **adagrad)
    # While G is singular, rounding outside its range is divided by ε and not by a square root.
    agree(turned, ref.full_matrix_adagrad(GRADS, PARAMS, **adagrad) @ rotation, rtol=1e-10)
    diagonal = ref.adagrad(GRADS @ rotation, PARAMS @ rotation, **adagrad)
    assert differ(diagonal, ref.adagrad(GRADS, PARAMS, **adagrad) @ rotation)


# Against arithmetic: the numbers of the lecture


@pytest.mark.parametrize(
    ("decay", "averages"),
    [
        (0.2, [12.30, 11.26, 10.412, 10.4824, 10.97648]),
        (0.5, [12.30, 11.65, 10.925, 10.7125, 10.90625]),
    ],
)
def test_average_started_at_the_first_value(decay, averages):
    values = [12.30, 11.00, 10.20, 10.50, 11.10]
    agree(ref.ema(values, decay=decay, initial=values[0]), averages)


def test_average_started_at_zero():
    agree(ref.ema([7.5, 4.0, 6.0, 8.0], decay=0.9), [0.75, 1.075, 1.5675, 2.21075])


def test_bias_corrected_average():
    averages = ref.debiased_ema([7.5, 4.0, 6.0, 8.0], decay=0.9)
    np.testing.assert_allclose(averages, [7.5, 5.6579, 5.7841, 6.4285], atol=5e-5)  # as printed


def test_accumulators_of_adagrad():
    grads = np.array([[-2.0, -10.0], [-1.5, -10.0], [-1.25, -9.0], [-1.0, 9.0]])
    rates = np.array([0.4, 0.3, 0.2, 0.1])
    steps = steps_of(ref.adagrad(grads, [0.0, 0.0], learning_rate=rates), [0.0, 0.0])
    accumulators = (rates[:, None] * grads / steps) ** 2
    agree(accumulators, [[4, 100], [6.25, 200], [7.8125, 281], [8.8125, 362]])


def test_first_step_of_uncorrected_adam_is_distorted():
    path = ref.adam(GRADS, PARAMS, learning_rate=LEARNING_RATE, eps=0, bias_correction=False)
    size = LEARNING_RATE[0] * (1 - 0.9) / np.sqrt(1 - 0.999)
    agree(path[0] - PARAMS, -size * np.sign(GRADS[0]))


@pytest.mark.parametrize("method", [ref.adam, ref.adam_efficient, ref.adamax])
def test_adam_steps_by_the_learning_rate_on_a_constant_gradient(method):
    path = method(np.full((STEPS, 2), [3.0, -1e-4]), [0, 0], learning_rate=LEARNING_RATE, eps=0)
    agree(steps_of(path, [0, 0]), np.outer(LEARNING_RATE, [-1, 1]))


def test_adagrad_steps_shrink_on_a_constant_gradient():
    path = ref.adagrad(GRADS[:, 3:4], [0.0], learning_rate=CONSTANT_RATE)
    agree(steps_of(path, [0.0])[:, 0], CONSTANT_RATE / np.sqrt(np.arange(1, STEPS + 1)))


def test_first_step_of_adadelta_starts_from_epsilon():
    path = ref.adadelta([[2.0]], [0.0], learning_rate=[1.0], rho=0.75, eps=0.21)
    agree(path, [[-2 * np.sqrt(0.21 / 1.21)]])


def test_adamw_decays_by_the_learning_rate_without_a_gradient():
    path = ref.adamw(0 * GRADS, PARAMS, learning_rate=LEARNING_RATE, weight_decay=0.1)
    agree(path, np.cumprod(1 - 0.1 * LEARNING_RATE)[:, None] * PARAMS)


@pytest.mark.parametrize(
    "method",
    [
        ref.gradient_descent,
        partial(ref.heavy_ball, momentum=0.9),
        partial(ref.heavy_ball_averaging, decay=0.9),
        partial(ref.heavy_ball_inside, momentum=0.9),
        partial(ref.nesterov_rewritten, momentum=0.9),
        partial(ref.nesterov_rewritten_inside, momentum=0.9),
        ref.adagrad,
        ref.full_matrix_adagrad,
        partial(ref.adadelta, eps=0.0),
        partial(ref.rmsprop, eps=0.0, momentum=0.9),
        partial(ref.rmsprop_centered, eps=0.0, momentum=0.9),
        ref.rmsprop_graves,
        partial(ref.adam, eps=0.0),
        partial(ref.adam_efficient, eps=0.0),
        partial(ref.adamw, eps=0.0, weight_decay=0.0),
        partial(ref.amsgrad, eps=0.0),
        partial(ref.adamax, eps=0.0),
        partial(ref.nadam, eps=0.0),
    ],
)
def test_zero_gradients_move_nothing_even_without_an_epsilon(method):
    path = method(0 * GRADS, PARAMS, learning_rate=LEARNING_RATE)
    np.testing.assert_array_equal(path, np.tile(PARAMS, (STEPS, 1)))


# The convention of the references


def test_reference_refuses_a_single_learning_rate():
    with pytest.raises(ValueError, match="one number a step"):
        ref.gradient_descent(GRADS, PARAMS, learning_rate=0.1)


def test_reference_refuses_gradients_of_another_number_of_steps():
    with pytest.raises(ValueError, match="29 gradients for 30 learning rates"):
        ref.gradient_descent(GRADS[1:], PARAMS, learning_rate=LEARNING_RATE)

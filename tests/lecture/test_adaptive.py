"""Section 4 of the lecture: methods that scale each coordinate, and one that sees the Hessian."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import newton_step
from tests import references as ref
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    PARAMS,
    STEPS,
    agree,
    differ,
    gdlab_path,
    keras_path,
    path_along,
    path_down,
    steps_of,
    torch_path,
)

pytestmark = pytest.mark.x64


def steps_along(tx, grads):
    """The steps of ``tx`` along given gradients of one parameter, or of several."""
    grads = jnp.asarray(grads)
    return np.diff(path_along(tx, grads, jnp.zeros_like(grads[0])), axis=0, prepend=0)


# L27: Adagrad, diagonal

TWO_COORDINATES = np.array([[-2.0, -10.0], [-1.5, -10.0], [-1.25, -9.0], [-1.0, 9.0]])


def test_L27_accumulators_of_adagrad():
    tx = gdlab.sum_of_squares()
    state, seen = tx.init(jnp.zeros(2)), []
    for g in TWO_COORDINATES:
        _, state = tx.update(jnp.asarray(g), state)
        seen.append(state.sum_of_squares)
    # The slide has (−9)(−19) in the third sum: an erratum.
    agree(seen, [[4, 100], [6.25, 200], [7.8125, 281], [8.8125, 362]])


def test_L27_adagrad_divides_by_the_root_of_its_accumulators():
    steps = steps_along(gdlab.adagrad(0.1, 0.0, 0.0), TWO_COORDINATES)
    G = np.array([[4, 100], [6.25, 200], [7.8125, 281], [8.8125, 362]])
    agree(steps, -0.1 * TWO_COORDINATES / np.sqrt(G))


# L28: Adagrad, full matrix


def test_L28_epsilon_of_full_matrix_adagrad_stands_inside_the_root():
    g = np.array([3.0, 4.0])
    (step,) = steps_along(gdlab.full_matrix_adagrad(1.0, eps=11.0), [g])
    agree(step, -g / 6)  # the only direction with a gradient has 25 + 11 = 6²


def test_L28_one_hot_gradients_make_the_full_matrix_diagonal():
    one_hot = GRADS * np.eye(5)[np.arange(STEPS) % 5]
    full, diagonal = (
        gdlab_path(lambda lr, method=method: method(lr, 0.0, 1e-2), grads=one_hot)
        for method in (gdlab.full_matrix_adagrad, gdlab.adagrad)
    )
    agree(full, diagonal)


def test_L28_full_matrix_turns_with_the_problem_where_the_diagonal_does_not():
    for method, turns in ((gdlab.full_matrix_adagrad, True), (gdlab.adagrad, False)):
        straight, turned = rotated_paths(method(0.3, 0.0, 1e-2))
        assert differ(turned, straight) != turns


# L29: steps that only shrink, and the two cures


def test_L29_adagrad_on_a_constant_gradient_falls_as_one_over_root_t_and_rmsprop_does_not():
    t = np.arange(1, 401)
    agree(steps_along(gdlab.adagrad(0.1, 0.0, 0.0), np.full(400, 3.0)), -0.1 / np.sqrt(t))
    rmsprop = steps_along(gdlab.rmsprop(0.1, eps=0.0), np.full(400, 3.0))
    agree(rmsprop, -0.1 / np.sqrt(1 - 0.9**t))
    assert rmsprop[-1] == pytest.approx(-0.1)


def test_L29_scale_of_adagrad_only_ever_shrinks_and_the_others_recover():
    shrinking = np.concatenate([np.full(20, 10.0), np.full(380, 0.1)])

    def scale(tx):
        return -steps_along(tx, shrinking) / shrinking

    assert (np.diff(scale(gdlab.adagrad(0.1, 0.0, 0.0))) <= 0).all()
    for tx in (gdlab.rmsprop(0.1, eps=0.0), gdlab.adadelta(eps=1e-6)):
        after_the_large_ones, at_the_end = scale(tx)[[20, -1]]
        assert at_the_end > 50 * after_the_large_ones


# L30: RMSProp with ε inside the root (E), and with none (B)


def test_L30_rmsprop_without_epsilon_with_it_inside_and_with_it_outside():
    v, decay, eps = np.zeros(5), 0.9, 0.1
    moving = GRADS != 0
    none, inside, outside = (
        steps_of(gdlab_path(lambda lr, kw=kw: gdlab.rmsprop(lr, decay, **kw)))
        for kw in ({"eps": 0.0}, {"eps": eps}, {"eps": eps, "eps_in_sqrt": False})
    )
    for t, (g, eta) in enumerate(zip(GRADS, LEARNING_RATE, strict=True)):
        v = decay * v + (1 - decay) * g**2
        moves = moving[t]
        # A coordinate without any gradient, 0/0, stands still.
        agree(none[t, moves], -eta * g[moves] / np.sqrt(v[moves]))
        assert (none[t, ~moves] == 0).all()
        agree(inside[t], -eta * g / np.sqrt(v + eps))
        agree(outside[t], -eta * g / (np.sqrt(v) + eps))


# L31: Adadelta, AdaMax and Nadam as Keras and torch have them

AS_KERAS = {
    "adadelta": (
        partial(gdlab.adadelta, rho=0.95, eps=1e-7),
        partial(ref.adadelta, rho=0.95, eps=1e-7),
        lambda o: o.Adadelta(),
    ),
    "adamax": (
        partial(gdlab.adamax, eps=1e-7, eps_in_maximum=False),
        partial(ref.adamax, eps=1e-7, eps_in_max=False),
        lambda o: o.Adamax(),
    ),
    "nadam": (
        partial(gdlab.nadam, eps=1e-7, momentum_decay=1.0, scheduled_average=False),
        partial(ref.nadam, eps=1e-7, psi=1.0, scheduled_average=False),
        lambda o: o.Nadam(),
    ),
}
AS_TORCH = {
    "adadelta": (
        gdlab.adadelta,
        partial(ref.adadelta, rho=0.9, eps=1e-6),
        lambda o, p: o.Adadelta(p),
    ),
    "adamax": (gdlab.adamax, ref.adamax, lambda o, p: o.Adamax(p)),
    "nadam": (
        partial(gdlab.nadam, momentum_decay=0.004, scheduled_average=False),
        partial(ref.nadam, scheduled_average=False),
        lambda o, p: o.NAdam(p),
    ),
}


@pytest.mark.parametrize("name", AS_KERAS)
def test_L31_method_follows_the_rule_of_keras(name):
    ours, rule, _ = AS_KERAS[name]
    agree(gdlab_path(ours), rule(GRADS, PARAMS, learning_rate=LEARNING_RATE))


@pytest.mark.parametrize("name", AS_KERAS)
def test_L31_method_takes_the_steps_of_keras(name):
    ours, _, theirs = AS_KERAS[name]
    agree(gdlab_path(ours), keras_path(theirs))


@pytest.mark.parametrize("name", AS_TORCH)
def test_L31_method_follows_the_rule_of_torch(name):
    ours, rule, _ = AS_TORCH[name]
    agree(gdlab_path(ours), rule(GRADS, PARAMS, learning_rate=LEARNING_RATE))


@pytest.mark.parametrize("name", AS_TORCH)
def test_L31_method_takes_the_steps_of_torch(name):
    ours, _, theirs = AS_TORCH[name]
    agree(gdlab_path(ours), torch_path(theirs))


# L32, L33: Adam without and with bias correction


def uncorrected_adam(learning_rate, b1=0.9, b2=0.999):
    direction = gdlab.fork(gdlab.ratio(), gdlab.ema(b1), gdlab.chain(gdlab.square(), gdlab.ema(b2)))
    return gdlab.chain(direction, gdlab.scale_by_learning_rate(learning_rate))


@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.999), (0.9, 0.9), (0.5, 0.99)])
def test_L32_first_step_of_uncorrected_adam_is_distorted(b1, b2):
    steps = steps_along(uncorrected_adam(0.01, b1, b2), np.full(3, -7.0))
    agree(steps[0], 0.01 * (1 - b1) / np.sqrt(1 - b2))


def test_L32_uncorrected_adam_starts_three_times_too_fast_and_is_right_only_after_thousands():
    steps = steps_along(uncorrected_adam(0.01), np.full(6000, -7.0)) / 0.01
    assert steps[0] == pytest.approx(3.16, abs=0.01)
    assert steps.max() > 6
    assert steps[-1] == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("gradient", [3.0, -1e-6, 1e9])
@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.999), (0.9, 0.9), (0.0, 0.5)])
def test_L33_every_step_of_adam_on_a_constant_gradient_has_the_size_eta(gradient, b1, b2):
    steps = steps_along(gdlab.adam(0.01, b1, b2, 0.0), np.full(300, gradient))
    agree(steps, np.full(300, -0.01 * np.sign(gradient)))


# L34: should the second average be the slower one?

CURVATURES = np.array([1.0, 10.0, 100.0])
FIRST, SECOND = [0.0, 0.5, 0.9], [0.5, 0.9, 0.99, 0.999]
HORIZON = 500


@jax.jit
def final_losses(eta):
    """The loss at the end (the mean of the last 50 steps) for both decays: rows b1, columns b2."""

    def final(b1, b2):
        gradient = lambda w: jnp.asarray(CURVATURES) * w  # noqa: E731
        path = path_down(gdlab.adam(eta, b1, b2), gradient, jnp.ones(3), HORIZON)
        return jnp.mean(0.5 * path[-50:] ** 2 @ jnp.asarray(CURVATURES))

    over_b2 = jax.vmap(final, (None, 0))
    return jax.vmap(over_b2, (0, None))(jnp.asarray(FIRST), jnp.asarray(SECOND))


def test_L34_a_fast_second_average_oscillates_near_the_solution_with_an_amplitude_of_eta():
    # While v̂ forgets faster than the gradient falls, every step has the size of η, even at the end.
    for eta in (0.01, 0.1):
        losses = np.asarray(final_losses(eta))
        # Without momentum the end is a jump from −η/2 to η/2 and back.
        np.testing.assert_allclose(
            losses[0, :2], 0.5 * CURVATURES.sum() * (eta / 2) ** 2, rtol=2e-3
        )
    # With it too the loss that is left is η² times a constant.
    ratio = np.asarray(final_losses(0.1) / final_losses(0.01))
    np.testing.assert_allclose(ratio[:, 0], 100, rtol=0.1)


@pytest.mark.parametrize("eta", [0.03, 0.1])
def test_L34_advice_holds_where_the_horizon_is_long_beside_the_way(eta):
    losses = np.asarray(final_losses(eta))
    assert (losses[:, 2:] < 1e-15).all()  # b2 = 0.99 and 0.999, slower than any b1 here
    assert (losses[:, 0] > 1e-4).all()  # b2 = 0.5


def test_L34_advice_fails_at_a_small_eta_where_a_slower_second_average_ends_worse():
    # v̂ remembers the steep start, and the way is longer than the horizon.
    losses = np.asarray(final_losses(0.003))
    assert (losses[:, 3] > 3 * losses[:, 2]).all()
    assert (losses[:, 2] > 1000 * losses[:, 1]).all()
    # There even equal decays end best: b1 = b2 = 0.9 of all pairs.
    assert losses.min() == losses[FIRST.index(0.9), SECOND.index(0.9)]


def test_L34_advice_fails_at_a_large_eta_where_a_slower_second_average_need_not_help():
    losses = np.asarray(final_losses(1.0))
    b1 = FIRST.index(0.9)
    assert losses[b1, SECOND.index(0.99)] > 3 * losses[b1, SECOND.index(0.9)]


# L35: ε outside the root (A, B, D) or inside (E)


def adam_with_epsilon(eps, inside):
    return gdlab.adam(1.0, eps=0.0, eps_root=eps) if inside else gdlab.adam(1.0, eps=eps)


def test_L35_both_places_of_epsilon():
    for g in (3.0, 1e-2, 1e-5):
        outside = steps_along(adam_with_epsilon(1e-4, inside=False), np.full(5, g))
        inside = steps_along(adam_with_epsilon(1e-4, inside=True), np.full(5, g))
        agree(outside, np.full(5, -g / (g + 1e-4)))
        agree(inside, np.full(5, -g / np.sqrt(g**2 + 1e-4)))


def test_L35_near_zero_gradients_epsilon_inside_the_root_is_the_far_larger_one():
    g = np.full(5, 1e-6)
    outside = steps_along(adam_with_epsilon(1e-8, inside=False), g)
    inside = steps_along(adam_with_epsilon(1e-8, inside=True), g)
    assert outside[-1] == pytest.approx(-0.99, abs=1e-3)
    assert inside[-1] == pytest.approx(-0.01, abs=1e-5)
    # Towards zero the step is g/ε outside and g/√ε inside.
    tiny = np.full(5, 1e-14)
    ratio = steps_along(adam_with_epsilon(1e-8, inside=False), tiny) / steps_along(
        adam_with_epsilon(1e-8, inside=True), tiny
    )
    np.testing.assert_allclose(ratio, 1e4, rtol=1e-5)


def test_L35_without_a_gradient_neither_moves():
    for inside in (False, True):
        assert (steps_along(adam_with_epsilon(1e-8, inside), np.zeros(5)) == 0).all()


# L36: coordinates are not modes


HESSIAN = np.diag([1.0, 0.1, 3.0, 0.5, 2.0])
TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(5, 5)))[0]


@jax.jit
def path_on(tx, hessian, start):
    return path_down(tx, lambda w: hessian @ w, start, 30)


def rotated_paths(tx):
    """The path on a quadratic, and that on the turned one, turned back."""
    return [
        path_on(tx, jnp.asarray(q.T @ HESSIAN @ q), jnp.asarray(PARAMS @ q)) @ q.T
        for q in (np.eye(5), TURN)
    ]


@pytest.mark.parametrize(
    "tx",
    [
        gdlab.sgd(0.1),
        gdlab.sgd(0.1, 0.9),
        gdlab.sgd(0.1, 0.9, nesterov=True),
        gdlab.nesterov(0.1, 0.9),
        gdlab.full_matrix_adagrad(0.1, eps=1e-2),
    ],
    ids=["descent", "momentum", "Nesterov", "look-ahead", "full-matrix Adagrad"],
)
def test_L36_gradient_descent_and_momentum_turn_with_the_problem(tx):
    straight, turned = rotated_paths(tx)
    agree(turned, straight, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "tx",
    [
        gdlab.adagrad(0.1),
        gdlab.rmsprop(0.1),
        gdlab.adadelta(eps=1e-2),
        gdlab.adam(0.1),
        gdlab.amsgrad(0.1),
        gdlab.adamax(0.1),
        gdlab.nadam(0.1),
    ],
    ids=lambda tx: repr(tx).partition("(")[0],
)
def test_L36_methods_that_scale_coordinates_do_not(tx):
    straight, turned = rotated_paths(tx)
    assert np.abs(turned - straight).max() > 0.05


# L37: look at the Hessian


def test_L37_newtons_step_solves_least_squares_at_once_where_descent_takes_hundreds():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5)) * [1.0, 3.0, 10.0, 0.3, 1.0]
    y = rng.normal(size=20)
    solution = np.linalg.lstsq(x, y)[0]
    loss = lambda w: jnp.sum((y - x @ w) ** 2)  # noqa: E731
    agree(newton_step(loss, jnp.asarray(PARAMS)), solution, rtol=1e-9)
    curvatures = np.linalg.eigvalsh(2 * x.T @ x)
    eta = 2 / (curvatures[0] + curvatures[-1])  # the best one
    path = np.asarray(path_down(gdlab.sgd(eta), jax.grad(loss), jnp.asarray(PARAMS), 300))
    assert np.abs(path[300] - solution).max() > 1e-2


def test_L37_newtons_step_does_not_depend_on_how_the_problem_is_scaled():
    scales = jnp.array([1.0, 1e3, 1e-3])

    def loss(w):
        return jnp.sum(jnp.cosh(w - 1))

    start = jnp.array([1.3, 0.6, 1.1])
    moved = newton_step(loss, start)
    agree(newton_step(lambda w: loss(w * scales), start / scales) * scales, moved, rtol=1e-8)
    # To a quadratic alone it is the last step: cosh″ is not constant.
    agree(moved, start - np.tanh(start - 1), rtol=1e-9)

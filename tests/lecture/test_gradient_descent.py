"""Section 1 of the lecture: gradient descent, its limit, least squares, minibatches, landscapes."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import gdlab
from gdlab.analysis import classify_critical_point, linearize
from gdlab.training.batches import EpochSampler, minibatches
from tests.paths import agree, path_down

pytestmark = pytest.mark.x64(rank_promotion="allow")  # a bias is added to a batch

# L1, L2: one parameter, (y − σw)²

SIGMA, TARGET, START = 1.5, 2.0, -1.0
LIMIT = 1 / SIGMA**2


scalar_gradient = jax.grad(lambda w: (TARGET - SIGMA * w) ** 2)


def scalar_path(eta, steps):
    path = path_down(gdlab.sgd(eta), scalar_gradient, jnp.array(START), 2000)
    return np.asarray(path)[: steps + 1]


@pytest.mark.parametrize("eta", [0.01 * LIMIT, 0.5 * LIMIT, 0.9 * LIMIT, 1.2 * LIMIT])
def test_L1_error_of_scalar_least_squares_shrinks_by_one_factor_a_step(eta):
    error = scalar_path(eta, 30) - TARGET / SIGMA
    factor = 1 - 2 * eta * SIGMA**2
    agree(error, factor ** np.arange(31) * (START - TARGET / SIGMA), rtol=1e-11)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_L1_scalar_least_squares_is_stable_below_one_over_sigma_squared(share):
    agree(scalar_path(share * LIMIT, 2000)[-1], TARGET / SIGMA)


@pytest.mark.parametrize("share", [-0.01, 1.01])
def test_L1_scalar_least_squares_is_unstable_outside(share):
    assert abs(scalar_path(share * LIMIT, 2000)[-1]) > 1e15


def test_L1_scalar_least_squares_goes_round_for_ever_at_the_limit():
    error = scalar_path(LIMIT, 100) - TARGET / SIGMA
    agree(error[1:], -error[:-1])


def test_L1_half_the_limit_solves_scalar_least_squares_at_once():
    agree(scalar_path(LIMIT / 2, 1)[1], TARGET / SIGMA)


@pytest.mark.parametrize(
    ("factor", "oscillates", "grows"),
    [(0.99, False, False), (-0.9, True, False), (-1.1, True, True)],
    ids=["monotone", "oscillating", "diverging"],
)
def test_L2_factor_decides_among_three_regimes(factor, oscillates, grows):
    eta = (1 - factor) / (2 * SIGMA**2)
    error = scalar_path(eta, 50) - TARGET / SIGMA
    agree(error[1:] / error[:-1], np.full(50, factor), rtol=1e-10)
    assert (error[1:] * error[:-1] < 0).all() == oscillates
    assert (np.abs(error[1:]) > np.abs(error[:-1])).all() == grows


# L3, L4, L5: many parameters, ‖y − Xw‖², in the coordinates of the singular value decomposition

SINGULAR_VALUES = np.array([3.0, 2.0, 1.0, 0.5])


def modes_over_time(eta, steps):
    """The errors of gradient descent along the right singular vectors."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.normal(size=(7, 4)))[0]
    V = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    X, y, start = (U * SINGULAR_VALUES) @ V.T, rng.normal(size=7), rng.normal(size=4)
    loss = lambda w: jnp.sum((y - X @ w) ** 2)  # noqa: E731
    path = path_down(gdlab.sgd(eta), jax.grad(loss), jnp.asarray(start), steps)
    return (np.asarray(path) - np.linalg.lstsq(X, y)[0]) @ V


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.12])
def test_L3_every_mode_shrinks_by_its_own_factor_and_sees_no_other(eta):
    errors = modes_over_time(eta, 20)
    factors = 1 - 2 * eta * SINGULAR_VALUES**2
    law = factors ** np.arange(21)[:, None] * errors[0]
    # Modes that have died out leave rounding of the whole, which the growing one enlarges.
    agree(errors, law, rtol=1e-10, atol=1e-13 * np.abs(law).max())


@pytest.mark.parametrize(
    ("eta", "outside"), [(0.02, 0), (0.105, 0), (0.12, 1)], ids=["low", "medium", "too high"]
)
def test_L4_descent_converges_exactly_where_all_factors_lie_inside_the_unit_circle(eta, outside):
    factors = linearize(gdlab.sgd(eta), 2 * SINGULAR_VALUES**2).poles[:, 0]
    agree(factors, 1 - 2 * eta * SINGULAR_VALUES**2)
    assert (np.abs(factors) >= 1).sum() == outside
    grown = np.abs(modes_over_time(eta, 40)[[0, -1]])
    np.testing.assert_array_equal(grown[1] > grown[0], np.abs(factors) > 1)


def steps_to_a_thousandth(errors):
    return (np.abs(errors) < 1e-3 * np.abs(errors[0])).argmax(axis=0)


def test_L5_order_in_which_modes_converge_depends_on_the_learning_rate():
    small = np.argsort(steps_to_a_thousandth(modes_over_time(0.02, 800)))
    large = np.argsort(steps_to_a_thousandth(modes_over_time(0.105, 800)))
    assert list(small) == [0, 1, 2, 3]  # steep modes first: factors 0.64, 0.84, 0.96, 0.99
    assert list(large) == [1, 2, 0, 3]  # the steepest overshoots: −0.89 beside 0.16, 0.79, 0.95


# L6: fewer equations than unknowns, from zero


def underdetermined(consistent):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3, 10))
    if not consistent:
        X = rng.normal(size=(8, 3)) @ X  # eight equations of rank three for ten unknowns
    return X, rng.normal(size=len(X))


@functools.partial(jax.jit, static_argnums=(2, 3))
def stochastic_path(data, eta, batch_size, epochs):
    """Minibatch descent on the sum of squared errors, from zero."""
    sampler = EpochSampler.for_data(data, batch_size)
    tx, key = gdlab.sgd(eta), jax.random.key(0)
    grad = jax.grad(lambda w, batch: jnp.sum((batch[0] @ w - batch[1]) ** 2))

    def step(carry, t):
        w, state, order = carry
        order = sampler.reshuffle(order, key, t)
        g = sampler.on_batch(lambda batch: grad(w, batch), data, order, t)
        updates, state = tx.update(g, state, w)
        w = gdlab.apply_updates(w, updates)
        return (w, state, order), w

    w = jnp.zeros(data[0].shape[1])
    steps = jnp.arange(epochs * sampler.batches_per_epoch)
    return lax.scan(step, (w, tx.init(w), sampler.order(key, 0)), steps)[1]


def across_the_row_space(path, X):
    return path @ (np.eye(X.shape[1]) - np.linalg.pinv(X) @ X)


@pytest.mark.parametrize("batch_size", [1, 2, None], ids=["stochastic", "minibatch", "full batch"])
def test_L6_descent_from_zero_ends_in_the_solution_of_least_norm_by_way_of_the_row_space(
    batch_size,
):
    X, y = underdetermined(consistent=True)
    path = np.asarray(stochastic_path((X, y), 0.02, batch_size, 800))
    np.testing.assert_allclose(path[-1], np.linalg.pinv(X) @ y, atol=1e-10)
    np.testing.assert_allclose(across_the_row_space(path, X), 0, atol=1e-12)


def test_L6_full_batch_path_has_a_closed_form():
    X, y = underdetermined(consistent=True)
    U, sigma, Vt = np.linalg.svd(X, full_matrices=False)
    eta, t = 0.02, np.arange(1, 801)[:, None]
    law = ((1 - (1 - 2 * eta * sigma**2) ** t) * (U.T @ y) / sigma) @ Vt
    agree(stochastic_path((X, y), eta, None, 800), law)


def test_L6_on_an_inconsistent_system_stochastic_descent_hovers_and_full_batch_converges():
    X, y = underdetermined(consistent=False)
    solution = np.linalg.pinv(X) @ y

    def last_errors(eta, batch_size):
        path = np.asarray(stochastic_path((X, y), eta, batch_size, 3000))
        np.testing.assert_allclose(across_the_row_space(path, X), 0, atol=1e-11)
        return np.linalg.norm(path[-800:] - solution, axis=1)

    np.testing.assert_allclose(last_errors(2e-3, None), 0, atol=1e-10)
    hovering, closer = last_errors(2e-3, 1), last_errors(5e-4, 1)
    # It neither settles nor leaves, and a smaller learning rate only brings it closer.
    assert 1e-2 < hovering.mean() < 10
    assert np.ptp(hovering) > 1e-2
    assert 1e-3 < closer.mean() < 0.5 * hovering.mean()


# L7: batch, minibatch and stochastic descent


def test_L7_every_index_comes_once_an_epoch():
    for batch_size in (1, 3, 4, 10):
        for epoch in range(3):
            batches = minibatches(np.arange(10), batch_size, jax.random.key(epoch))
            assert sorted(np.concatenate(list(batches))) == list(range(10))


def test_L7_epochs_are_shuffled_anew():
    drawn = np.concatenate(list(minibatches(np.arange(50), 10, jax.random.key(0), epochs=2)))
    assert (drawn[:50] != drawn[50:]).any()
    assert (drawn[:50] != np.arange(50)).any()


def test_L7_sixty_thousand_examples_in_batches_of_128_are_469_updates():
    assert EpochSampler(60_000, 128).batches_per_epoch == 469  # the slide rounds to 470
    sizes = [len(batch) for batch in minibatches(np.arange(60_000), 128, jax.random.key(0))]
    assert sizes == 468 * [128] + [96]


def test_L7_batch_size_one_is_an_update_for_every_example():
    X, y = underdetermined(consistent=True)
    assert len(stochastic_path((X, y), 0.02, 1, 800)) == 800 * len(y)


def test_L7_batch_size_n_is_plain_gradient_descent():
    X, y = underdetermined(consistent=False)
    loss = lambda w: jnp.sum((X @ w - y) ** 2)  # noqa: E731
    plain = path_down(gdlab.sgd(1e-3), jax.grad(loss), jnp.zeros(10), 20)
    agree(stochastic_path((X, y), 1e-3, len(y), 20), plain[1:])


# L8: critical points


def double_well(w):
    """(x² − 1)² tilted, so that one of its two minima is the lower one, with a pass between."""
    return (w[0] ** 2 - 1) ** 2 + 0.3 * w[0] + w[1] ** 2


def bell(w):
    return jnp.exp(-(w[0] ** 2) - 2 * w[1] ** 2)


LOWER, PASS, UPPER = (np.array([x, 0.0]) for x in np.sort(np.roots([4, 0, -4, 0.3])))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("function", "point", "kind"),
    [
        (double_well, LOWER, "minimum"),
        (double_well, UPPER, "minimum"),
        (double_well, PASS, "saddle"),
        (lambda w: -double_well(w), LOWER, "maximum"),
        (bell, np.zeros(2), "maximum"),
        (lambda w: w[0] ** 3 - 3 * w[0] * w[1] ** 2, np.zeros(2), "degenerate"),
    ],
    ids=["global minimum", "local minimum", "saddle", "turned over", "bell", "monkey saddle"],
)
def test_L8_gradient_vanishes_at_critical_points_of_every_kind(function, point, kind):
    # NumPy's roots are eigenvalues of a 3 × 3 matrix of a norm near one: right to some units in the
    # last place for each row, which the curvature, of up to 9, multiplies.
    rounding = 9 * 3 * 4 * np.finfo(float).eps
    np.testing.assert_allclose(jax.grad(function)(jnp.asarray(point)), 0, atol=rounding)
    assert classify_critical_point(function, jnp.asarray(point)) == kind
    curvatures = np.linalg.eigvalsh(jax.hessian(function)(jnp.asarray(point)))
    signs = {"minimum": [1, 1], "maximum": [-1, -1], "saddle": [-1, 1], "degenerate": [0, 0]}
    np.testing.assert_array_equal(np.sign(curvatures), signs[kind])


def test_L8_one_minimum_is_global_and_the_other_only_local():
    assert double_well(LOWER) < double_well(UPPER) < double_well(PASS)
    x = np.random.default_rng(0).uniform(-3, 3, size=(2, 10_000))
    assert (double_well(x) > double_well(LOWER)).all()
    near = UPPER[:, None] + 0.3 * x
    assert (double_well(near) >= double_well(UPPER))[np.abs(0.3 * x).max(axis=0) < 0.5].all()


@pytest.mark.parametrize(
    ("point", "end"),
    [(LOWER, LOWER), (UPPER, UPPER), (PASS, LOWER)],
    ids=["lower", "upper", "pass"],
)
def test_L8_descent_returns_to_minima_and_leaves_saddles(point, end):
    start = jnp.asarray(point + np.array([-1e-6, 1e-6]))
    path = path_down(gdlab.sgd(0.05), jax.grad(double_well), start, 400)
    agree(path[-1], end, rtol=1e-6, atol=1e-6)


def test_L8_distance_from_a_saddle_grows_by_its_negative_curvature():
    eta, curvature = 0.05, 12 * float(PASS[0]) ** 2 - 4
    path = path_down(gdlab.sgd(eta), jax.grad(double_well), jnp.asarray(PASS + 1e-9), 30)
    pole = linearize(gdlab.sgd(eta), curvature).poles[0]
    assert pole.real == pytest.approx(1 - eta * curvature)
    np.testing.assert_allclose(path[:, 0] - PASS[0], 1e-9 * pole.real ** np.arange(31), rtol=1e-4)


# L9: the cost of a network is not convex


HIDDEN = 4


def network_loss(params, batch):
    hidden = jnp.tanh(batch[0] @ params["in"] + params["bias"])
    return jnp.mean((hidden @ params["out"] - batch[1]) ** 2)


def permuted(params, order):
    order = np.array(order)
    return {
        "in": params["in"][:, order],
        "bias": params["bias"][order],
        "out": params["out"][order],
    }


def trained_network():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(40, 3)))
    batch = x, jnp.sin(2 * x[:, :1]) * x[:, 1:]
    params = {
        "in": jnp.asarray(rng.normal(size=(3, HIDDEN))),
        "bias": jnp.asarray(rng.normal(size=HIDDEN)),
        "out": jnp.asarray(rng.normal(size=(HIDDEN, 2))),
    }
    loss = functools.partial(network_loss, batch=batch)
    return loss, gdlab.minimize(loss, params, gdlab.sgd(0.1, momentum=0.9), 500).params


@pytest.mark.slow
def test_L9_loss_is_the_same_under_every_permutation_of_hidden_units():
    loss, params = trained_network()
    orders = list(itertools.permutations(range(HIDDEN)))
    losses = [loss(permuted(params, order)) for order in orders]
    assert len(losses) == 24
    agree(losses, np.full(24, losses[0]))
    # Units have to move with all their weights.
    assert loss(params | {"in": params["in"][:, ::-1]}) > 1.1 * losses[0]


def test_L9_between_a_network_and_its_swapped_self_the_loss_is_higher_so_it_is_not_convex():
    loss, params = trained_network()
    for first, second in itertools.combinations(range(HIDDEN), 2):
        order = list(range(HIDDEN))
        order[first], order[second] = second, first
        swapped = permuted(params, order)
        middle = jax.tree.map(lambda a, b: (a + b) / 2, params, swapped)
        assert loss(middle) > 1.1 * loss(params)
        assert loss(swapped) == pytest.approx(float(loss(params)))


# L11: mean squared error of a linear model


def test_L11_each_parameter_of_a_linear_model_moves_by_its_closed_form_gradient():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=6)
    params = {"w": jnp.array([0.3, -0.2]), "b": jnp.array(0.5)}
    eta = 0.1

    def loss(params):
        return jnp.mean((x @ params["w"] + params["b"] - y) ** 2)

    tx = gdlab.sgd(eta)
    updates, _ = tx.update(jax.grad(loss)(params), tx.init(params), params)
    moved = gdlab.apply_updates(params, updates)

    n = len(y)
    errors = [0.3 * x[i, 0] - 0.2 * x[i, 1] + 0.5 - y[i] for i in range(n)]
    for j, w in enumerate([0.3, -0.2]):
        agree(moved["w"][j], w - eta * 2 / n * sum(errors[i] * x[i, j] for i in range(n)))
    agree(moved["b"], 0.5 - eta * 2 / n * sum(errors))

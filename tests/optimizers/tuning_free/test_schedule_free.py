"""Schedule-Free learning: its averages, its weights, and what it is at the ends of β."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import evaluation_params
from tests.paths import GRADS, LEARNING_RATE, PARAMS, agree, gdlab_path, per_step
from tests.references.schedule_free import schedule_free_adamw, schedule_free_sgd


@jax.jit
def run(tx, grads, params):
    """The parameters, the averages and the states after each step."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = gdlab.apply_updates(params, updates)
        return (params, state), (params, evaluation_params(state, params), state)

    return jax.lax.scan(step, (params, tx.init(params)), grads)[1]


@pytest.mark.x64
@pytest.mark.parametrize(
    "make",
    [gdlab.sgd, gdlab.adam, partial(gdlab.adamw, weight_decay=0.1)],
    ids=["sgd", "adam", "adamw"],
)
def test_with_beta_zero_the_parameters_go_the_way_of_the_base_optimizer(make):
    path = gdlab_path(lambda lr: gdlab.schedule_free(make(lr), lr, b1=0.0))
    agree(path, gdlab_path(make))


@pytest.mark.x64
def test_with_beta_one_gradients_are_taken_at_the_average():
    tx = gdlab.schedule_free_sgd(per_step(LEARNING_RATE), b1=1.0)
    y, x, _ = run(tx, jnp.asarray(GRADS), jnp.asarray(PARAMS))
    agree(y, x)


@pytest.mark.x64
def test_the_parameters_are_the_weighted_mean_of_average_and_iterate_while_beta_varies():
    beta = np.linspace(0.0, 0.98, len(GRADS))
    make = partial(gdlab.schedule_free_adamw, b1=per_step(beta), weight_decay=0.1)
    y, x, state = run(make(per_step(LEARNING_RATE)), jnp.asarray(GRADS), jnp.asarray(PARAMS))
    agree(y, beta[:, None] * x + (1 - beta[:, None]) * state.z)
    options = {"learning_rate": LEARNING_RATE, "beta": beta, "weight_decay": 0.1}
    agree(y, schedule_free_adamw(GRADS, PARAMS, **options))
    agree(x, schedule_free_adamw(GRADS, PARAMS, **options, of_average=True))


@pytest.mark.x64
def test_an_average_that_is_not_stored_follows_from_the_parameters_while_beta_varies():
    beta = per_step(np.linspace(0.2, 0.98, len(GRADS)))
    both = []
    for keeps in (True, False):
        tx = gdlab.schedule_free_adamw(per_step(LEARNING_RATE), b1=beta, keeps_average=keeps)
        both.append(run(tx, jnp.asarray(GRADS), jnp.asarray(PARAMS))[:2])
    # Thirty steps, whose rounding is divided by a β of 0.2 at first.
    for stored, implied in zip(*both, strict=True):
        np.testing.assert_allclose(implied, stored, rtol=1e-11, atol=1e-12)


def test_without_a_stored_average_it_keeps_a_word_a_parameter_beside_its_base():
    for keeps, words in ((True, 2), (False, 1)):
        state = gdlab.schedule_free_sgd(keeps_average=keeps).init(jnp.zeros(1000))
        assert sum(leaf.size for leaf in jax.tree.leaves(state)) // 1000 == words


@pytest.mark.x64
def test_on_a_constant_gradient_the_average_lags_by_half_of_the_way():
    eta, steps, g, beta = 0.1, 12, np.array([3.0, -0.5]), 0.9
    tx = gdlab.schedule_free_sgd(eta, b1=beta)
    grads = jnp.broadcast_to(jnp.asarray(g), (steps, 2))
    y, x, state = run(tx, grads, jnp.ones(2))
    t = np.arange(1, steps + 1)[:, None]
    agree(state.z, 1 - eta * t * g)
    agree(x, 1 - eta * (t + 1) / 2 * g)
    agree(y, 1 - eta * (beta * (t + 1) / 2 + (1 - beta) * t) * g)


@pytest.mark.x64
def test_the_first_step_of_a_warm_up_moves_by_its_share_of_the_learning_rate():
    tx = gdlab.schedule_free_sgd(1.0, warmup_steps=4.0, b1=0.0)
    y, _, _ = run(tx, jnp.ones((6, 1)), jnp.zeros(1))
    agree(np.diff(y[:, 0], prepend=0.0), [-0.25, -0.5, -0.75, -1, -1, -1])


@pytest.mark.x64
def test_iterates_weigh_the_square_of_the_largest_learning_rate_so_far():
    rates = np.array([0.1, 0.2, 0.4, 0.3, 0.05])
    tx = gdlab.schedule_free_sgd(per_step(rates))
    _, x, state = run(tx, jnp.ones((5, 1)), jnp.zeros(1))
    weights = np.array([0.1, 0.2, 0.4, 0.4, 0.4]) ** 2
    z = np.asarray(state.z)[:, 0]
    agree(x[-1, 0], weights @ z / weights.sum())
    # By 1/t, as in Keras, it would be somewhere else.
    assert abs(x[-1, 0] - z.mean()) > 0.02


def test_nothing_moves_and_nothing_is_nan_while_the_learning_rate_is_zero():
    tx = gdlab.schedule_free_sgd(per_step(jnp.array([0.0, 0.0, 1.0])))
    y, x, _ = run(tx, jnp.ones((3, 1)), jnp.ones(1))
    assert y[:, 0].tolist() == x[:, 0].tolist() == [1.0, 1.0, 0.0]


def test_low_precision_parameters_are_averaged_and_weighed_in_float32():
    steps, eta = 2000, 0.01
    grads = np.random.default_rng(0).normal(size=(steps, 4)).astype(np.float32)
    start = jnp.full(4, 3.0, jnp.bfloat16)
    tx = gdlab.schedule_free_sgd(eta)
    _, _, state = run(tx, jnp.asarray(grads, jnp.bfloat16), start)
    exact = np.asarray(jnp.asarray(grads, jnp.bfloat16), np.float64)
    z = 3 - eta * np.cumsum(exact, 0)
    # In bfloat16 the sum of equal weights ends at 256 of them, and the mean at its last digit, 2⁻⁷.
    np.testing.assert_allclose(state.weight_sum[-1], steps * eta**2, rtol=1e-4)
    np.testing.assert_allclose(state.average.average[-1], z.mean(0), rtol=1e-4)


def test_the_iterate_can_be_stored_in_less():
    state = gdlab.schedule_free_sgd(state_dtype="bfloat16").init({"w": jnp.ones(2)})
    assert state.z["w"].dtype == jnp.bfloat16
    assert state.average.average["w"].dtype == jnp.float32
    with pytest.raises(ValueError, match="state_dtype must be a floating-point dtype"):
        gdlab.schedule_free_sgd(state_dtype="int32").init({"w": jnp.ones(2)})


@pytest.mark.x64
def test_minimize_evaluates_at_the_average():
    run = gdlab.minimize(lambda w: 0.5 * w @ w, jnp.ones(2), gdlab.schedule_free_sgd(0.5), steps=20)
    down = schedule_free_sgd(lambda w: w, np.ones(2), learning_rate=np.full(20, 0.5))
    agree(run.params, down[-1])
    agree(run.evaluation_params, evaluation_params(run.state, run.params))
    assert np.abs(run.evaluation_params - run.params).max() > 1e-3


def test_a_number_alone_is_trained_as_an_array_of_one():
    def trained(start):
        tx = gdlab.schedule_free(gdlab.sgd(0.1), 0.1)
        params, state = start, tx.init(start)
        for _ in range(3):
            updates, state = tx.update(2 * params, state, params)
            params = gdlab.apply_updates(params, updates)
        return params

    np.testing.assert_allclose(trained(1.0), trained(jnp.ones(1))[0], rtol=1e-6)

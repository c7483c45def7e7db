"""Slow weights, which an outer method moves by as far as an inner one has come."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    adam,
    apply_updates,
    dog,
    evaluation_params,
    lookahead,
    minimize,
    scale,
    set_to_zero,
    sgd,
    slow_weights,
)
from gdlab.analysis import stable_range

pytestmark = pytest.mark.x64

STEPS = 12
RNG = np.random.default_rng(0)
START = {"w": RNG.normal(size=3), "b": RNG.normal(size=())}
GRADS = {"w": RNG.normal(size=(STEPS, 3)), "b": RNG.normal(size=STEPS)}


def run(tx, evaluate=lambda state, params: params):
    """The parameters after each step."""

    def step(carry, gradient):
        params, state = carry
        updates, state = tx.update(gradient, state, params)
        params = apply_updates(params, updates)
        return (params, state), evaluate(state, params)

    start, grads = jax.tree.map(jnp.asarray, (START, GRADS))
    return jax.jit(lambda: jax.lax.scan(step, (start, tx.init(start)), grads)[1])()


def assert_close(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), one, other)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("reset_state", [False, True])
@pytest.mark.parametrize("period", [1, 3, 5])
def test_lookahead_goes_as_that_of_optax(period, reset_state):
    fast, slow = (
        run(lookahead(sgd(0.1, 0.9), period, 0.4, reset_state), evaluate)
        for evaluate in (lambda _, params: params, evaluation_params)
    )
    tx = optax.lookahead(optax.sgd(0.1, 0.9), period, 0.4, reset_state)
    pair = optax.LookaheadParams.init_synced(jax.tree.map(jnp.asarray, START))
    state = tx.init(pair)
    for step in range(STEPS):
        with jax.numpy_dtype_promotion("standard"):
            gradient = jax.tree.map(lambda g: jnp.asarray(g[step]), GRADS)  # noqa: B023
            updates, state = tx.update(gradient, state, pair)
            pair = optax.apply_updates(pair, updates)
        assert_close(jax.tree.map(lambda path: path[step], fast), pair.fast)  # noqa: B023
        assert_close(jax.tree.map(lambda path: path[step], slow), pair.slow)  # noqa: B023


def test_an_outer_step_as_long_as_the_way_is_the_inner_method():
    assert_close(run(slow_weights(adam(0.1), sgd(1.0), 4)), run(adam(0.1)))


def test_an_outer_method_that_stays_brings_the_weights_back_to_the_start():
    path = run(slow_weights(sgd(0.1), set_to_zero(), 4))
    inner = run(sgd(0.1))
    assert_close(path["w"][:3], inner["w"][:3])
    np.testing.assert_allclose(path["w"][3::4], np.stack([START["w"]] * 3), rtol=1e-12)


def test_an_outer_nesterov_step_is_that_of_diloco_on_one_worker():
    path = run(slow_weights(sgd(0.1), sgd(0.7, 0.9, nesterov=True), 3))["w"]
    slow, momentum = START["w"], np.zeros(3)
    for outer in range(STEPS // 3):
        distance = 0.1 * GRADS["w"][3 * outer : 3 * outer + 3].sum(0)
        momentum = 0.9 * momentum + distance
        slow = slow - 0.7 * (distance + 0.9 * momentum)
        np.testing.assert_allclose(path[3 * outer + 2], slow, rtol=1e-12)


def test_the_state_of_the_inner_method_begins_anew_where_that_is_asked():
    tx = slow_weights(sgd(0.1, 0.9), sgd(1.0), 2, reset_state=True)
    state = tx.init(jnp.ones(2))
    traces = []
    for _ in range(4):
        _, state = tx.update(jnp.ones(2), state, jnp.ones(2))
        traces.append(float(state.inner.trace[0]))
    assert traces == [1, 0, 1, 0]


def test_a_state_that_begins_anew_begins_at_the_slow_weights():
    # The base keeps the parameters that it begins at.
    tx = slow_weights(dog(init_value=0.1), sgd(0.5), 2, reset_state=True)
    w = jnp.ones(2)
    state = tx.init(w)
    for _ in range(2):
        updates, state = tx.update(jnp.ones(2), state, w)
        w = apply_updates(w, updates)
    np.testing.assert_allclose(state.inner.params0, w, rtol=1e-12)
    np.testing.assert_allclose(evaluation_params(state, w), w, rtol=1e-12)


def test_the_outer_method_is_asked_for_its_step_when_it_is_due_and_not_before():
    tx = slow_weights(sgd(0.1), adam(0.1), 3)
    state = tx.init(jnp.ones(2))
    remaining = []
    for _ in range(6):
        _, state = tx.update(jnp.ones(2), state, jnp.ones(2))
        remaining.append(float(state.outer.mu_weight[1]))
    np.testing.assert_allclose(remaining, [1, 1, 0.9, 0.9, 0.9, 0.81], rtol=1e-12)


def test_the_distance_is_the_gradient_of_the_outer_method_and_the_value_is_not_its_own():
    seen = {}

    from gdlab import transformation

    @transformation(reads="everything")
    def spy():
        def update(updates, **known):
            seen.update(known, updates=updates)
            return updates

        return update

    tx = slow_weights(scale(-1.0), spy(), 1)
    w = jnp.array([2.0])
    tx.update(jnp.array([0.5]), tx.init(w), w, value=jnp.array(3.0), grad=w, value_fn=jnp.sum)
    assert set(seen) == {"updates", "params", "grad", "value_fn"}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("period", "largest"), [(5, 1 + 3 ** (1 / 5)), (3, 1 + 3 ** (1 / 3)), (4, 2)]
)
def test_around_gradient_descent_lookahead_is_stable_up_to_its_law(period, largest):
    low, high = stable_range(lookahead(sgd(1.0), period, 0.5), 1.0)
    assert low == 0
    np.testing.assert_allclose(high, largest, rtol=1e-9)


@pytest.mark.x64(rank_promotion="allow")
def test_minimize_evaluates_the_slow_weights():
    curvature = jnp.array([1.0, 10.0])
    run = minimize(
        lambda w: 0.5 * jnp.sum(curvature * w**2),
        jnp.ones(2),
        lookahead(sgd(0.15), 5, 0.5),
        steps=20,
    )
    # Every fifth point is one at which fast and slow weights agree.
    mode = lambda eta: 0.5 + 0.5 * (1 - eta) ** 5  # noqa: E731
    expected = np.array([mode(0.15), mode(1.5)]) ** 4
    np.testing.assert_allclose(run.path[20], expected, rtol=1e-12)

"""``minimize`` against closed forms, hand-written loops and scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

import gdlab
from gdlab import Axis, adam, apply_updates, minimize, nesterov, sgd
from gdlab.training import minibatches
from tests import references

CURVATURE = (1.0, 4.0)


def quadratic(w):
    return 0.5 * jnp.sum(jnp.asarray(CURVATURE) * w**2)


def squared_error(w, batch):
    x, y = batch
    return jnp.mean((x @ w - y) ** 2)


@pytest.fixture
def regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 3))
    return x, x @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.normal(size=10)


@pytest.mark.x64
def test_gradient_descent_follows_the_powers_of_its_factors():
    run = minimize(quadratic, jnp.array([1.0, 1.0]), sgd(0.1), steps=20)
    factors = (1 - 0.1 * np.array(CURVATURE)) ** np.arange(21)[:, None]
    # Twenty products round to a few units of the last place.
    np.testing.assert_allclose(run.path, factors, rtol=1e-13)
    losses = 0.5 * np.sum(np.array(CURVATURE) * factors**2, axis=1)
    np.testing.assert_allclose(run.values, losses, rtol=1e-13)
    np.testing.assert_array_equal(run.params, run.path[-1])


def test_an_optimizer_of_another_library_will_do():
    optax = pytest.importorskip("optax")
    run = minimize(lambda w: 0.5 * jnp.sum(w**2), jnp.ones(2), optax.sgd(0.5, 0.25), steps=3)
    own = minimize(lambda w: 0.5 * jnp.sum(w**2), jnp.ones(2), sgd(0.5, 0.25), steps=3)
    np.testing.assert_allclose(run.path, own.path, rtol=1e-6)
    with pytest.raises(TypeError, match=r"tx must be a GradientTransformation, not 0.5"):
        minimize(jnp.sum, jnp.ones(2), 0.5, steps=3)


@pytest.mark.x64
def test_the_look_ahead_method_gets_the_gradient_function_it_needs():
    run = minimize(quadratic, jnp.array([1.0, 1.0]), nesterov(0.1, 0.9), steps=30)
    expected = references.nesterov_look_ahead(
        lambda w: np.array(CURVATURE) * w, np.ones(2), learning_rate=np.full(30, 0.1), momentum=0.9
    )
    np.testing.assert_allclose(run.path[1:], expected, rtol=1e-12)


@pytest.mark.x64
def test_minibatches_are_those_of_a_hand_written_loop(regression):
    key, tx = jax.random.key(3), adam(0.1)
    run = minimize(squared_error, jnp.zeros(3), tx, 9, data=regression, batch_size=4, key=key)

    w, state, losses = jnp.zeros(3), tx.init(jnp.zeros(3)), []
    for _, batch in zip(range(10), minibatches(regression, 4, key, epochs=None), strict=False):
        loss, grad = jax.value_and_grad(squared_error)(w, batch)
        losses.append(loss)
        updates, state = tx.update(grad, state, w)
        w = apply_updates(w, updates)
    np.testing.assert_allclose(run.values, losses, rtol=1e-12)


@pytest.mark.x64
def test_full_batch_descent_solves_least_squares_as_scipy_does(regression):
    run = minimize(squared_error, jnp.zeros(3), sgd(0.1), 3000, data=regression)
    expected = scipy.optimize.lsq_linear(*regression).x
    np.testing.assert_allclose(run.params, expected, rtol=1e-9)


def test_it_compiles_once_for_all_learning_rates():
    traces = []

    def counted(w):
        traces.append(w)
        return jnp.sum(w**2)

    for rate in (0.1, 0.2, 0.3):
        minimize(counted, jnp.ones(2), sgd(rate), steps=3)
    once = len(traces)
    minimize(counted, jnp.ones(2), sgd(0.4), steps=3)
    assert len(traces) == once


def test_it_runs_under_vmap_over_learning_rates():
    rates = jnp.array([0.1, 0.5])
    together = jax.vmap(lambda rate: minimize(quadratic, jnp.ones(2), sgd(rate), 5).values)(rates)
    alone = [minimize(quadratic, jnp.ones(2), sgd(rate), 5).values for rate in (0.1, 0.5)]
    # Five steps of three roundings, which the square doubles.
    np.testing.assert_allclose(together, alone, rtol=2 * 5 * 3 * np.finfo(np.float32).eps)


def test_a_random_loss_gets_a_fresh_key_at_each_step():
    def noisy(w, key):
        return jnp.sum(w**2) + jax.random.normal(key)

    run = minimize(noisy, jnp.zeros(1), sgd(0.0), 4, key=jax.random.key(0))
    assert len(np.unique(run.values)) == 5


def test_aux_and_model_state_are_carried_and_recorded():
    def loss(w, batch, model_state):
        count = model_state + 1
        return jnp.mean((w - batch) ** 2), (count, {"count": count})

    run = minimize(
        loss, 0.0, sgd(0.1), 3, data=jnp.arange(4.0), has_aux=True, model_state=jnp.array(0)
    )
    assert int(run.model_state) == 3
    np.testing.assert_array_equal(run.aux["count"], [1, 2, 3, 4])


def test_complex_parameters_descend():
    # The gradient of |z − c|² is conjugated for the user, or the imaginary part would ascend.
    target = 1.0 + 2.0j
    run = minimize(lambda z: jnp.abs(z - target) ** 2, jnp.array(0j), sgd(0.25), steps=40)
    np.testing.assert_allclose(run.params, target, rtol=1e-6)


def test_divergence_is_a_result():
    run = minimize(quadratic, jnp.ones(2), sgd(1e30), steps=5)
    assert not np.isfinite(run.values[-1])


def test_the_path_may_be_left_out():
    assert minimize(quadratic, jnp.ones(2), sgd(0.1), 3, keep_path=False).path is None


def test_a_missing_key_is_asked_for(regression):
    with pytest.raises(ValueError, match=r"drawn at random.*key=jax\.random\.key"):
        minimize(squared_error, jnp.zeros(3), sgd(0.1), 3, data=regression, batch_size=4)


def test_a_loss_that_is_no_scalar_is_refused():
    with pytest.raises(TypeError, match=r"real scalar.*\(2,\)"):
        minimize(lambda w: w, jnp.ones(2), sgd(0.1), 3)


def test_an_axis_is_explained():
    with pytest.raises(ValueError, match=r"learning_rate is an Axis.*sweep"):
        minimize(quadratic, jnp.ones(2), sgd(Axis("learning_rate", [0.1])), 3)


def test_a_number_of_steps_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"steps must be a whole number .*, not -1"):
        minimize(lambda w: w**2, 1.0, sgd(0.1), -1)
    with pytest.raises(TypeError, match=r"steps must be a whole number .*, not 1"):
        minimize(lambda w: w**2, 1.0, sgd(0.1), 1.5)


# --- Going on


def halves(fun, x0, tx, first, second, **given):
    one = minimize(fun, x0, tx, steps=first, **given)
    from_there = {"state": one.state, "first_step": one.steps}
    return one, minimize(fun, one.params, tx, steps=second, **from_there, **given)


GO_ON = {
    "a schedule": gdlab.adam(gdlab.linear_schedule(0.1, 0.0, 6)),
    "momentum and an average": gdlab.chain(gdlab.sgd(0.05, 0.9), gdlab.params_ema(0.5)),
    "accumulation": gdlab.accumulate(gdlab.adam(0.1), 2),
    "a line search": optax.lbfgs(),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("tx", GO_ON.values(), ids=GO_ON)
@pytest.mark.parametrize("first", [0, 1, 3])
def test_two_halves_of_a_run_are_the_run(tx, first):
    fun = lambda w: jnp.sum((w - 3.0) ** 2) + jnp.sum(w**4)  # noqa: E731
    x0 = jnp.array([0.5, -1.0])
    whole = minimize(fun, x0, tx, steps=6)
    one, other = halves(fun, x0, tx, first, 6 - first)
    # The same steps in another program: a rounding or two of numbers of size 1 in each.
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(other.params, whole.params, **close)
    path = np.concatenate([one.path[:-1], other.path])
    np.testing.assert_allclose(path, whole.path, **close)
    assert (whole.steps, other.steps) == (6, 6)
    assert jax.tree.structure(other.state) == jax.tree.structure(whole.state)


def test_batches_and_keys_go_on_where_they_stopped():
    data = jnp.arange(12.0)
    seen = lambda w, batch, key: jnp.mean((w - batch) ** 2) + 0 * jax.random.normal(key)  # noqa: E731
    given = {"data": data, "batch_size": 3, "key": jax.random.key(1)}
    whole = minimize(seen, 0.0, gdlab.sgd(0.1), steps=9, **given)
    _, other = halves(seen, 0.0, gdlab.sgd(0.1), 5, 4, **given)
    np.testing.assert_allclose(other.values, whole.values[5:], rtol=1e-5)
    one = minimize(seen, 0.0, gdlab.sgd(0.1), steps=5, **given)
    with pytest.raises(ValueError, match=r"goes on from a state.*first_step=earlier\.steps"):
        minimize(seen, one.params, gdlab.sgd(0.1), steps=4, state=one.state, **given)


def test_the_state_of_another_optimizer_does_not_go_on():
    one = minimize(lambda w: w**2, 1.0, gdlab.sgd(0.1, 0.9), steps=1)
    with pytest.raises(ValueError, match="the state is not one of adam"):
        minimize(lambda w: w**2, one.params, gdlab.adam(0.1), steps=1, state=one.state)


# --- What is evaluated


def test_an_averaging_method_is_judged_at_its_average():
    tx = gdlab.chain(gdlab.sgd(0.4), gdlab.params_ema(0.5))
    run = minimize(lambda w: jnp.sum(w**2), jnp.array([2.0]), tx, steps=4)
    w = average = 2.0
    losses = [average**2]
    for _ in range(4):
        w -= 0.4 * 2 * w
        average = 0.5 * average + 0.5 * w
        losses.append(average**2)
    np.testing.assert_allclose(run.evaluation_values, losses, rtol=1e-5)
    np.testing.assert_allclose(run.evaluation_params, [average], rtol=1e-5)
    np.testing.assert_allclose(run.params, [w], rtol=1e-4)


def test_a_method_without_an_average_is_judged_where_it_trains():
    run = minimize(lambda w: w**2, 1.0, gdlab.sgd(0.1), steps=2)
    assert run.evaluation_values is None
    assert run.evaluation_params == run.params


# --- Evaluations that are spared


def rosenbrock(w):
    return jnp.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)


def counted(fun):
    """``fun``, and a list that gets an entry whenever it is executed."""
    calls = []

    def watched(w):
        jax.debug.callback(lambda: calls.append(None))
        return fun(w)

    return watched, calls


LINE_SEARCHES = {
    "zoom": (optax.lbfgs(), True),
    "backtracking": (
        optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(30, store_grad=True)),
        True,
    ),
    "backtracking without the gradient": (
        optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(30)),
        False,
    ),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("tx", "spared"), LINE_SEARCHES.values(), ids=LINE_SEARCHES)
def test_a_step_whose_line_search_knows_value_and_gradient_computes_neither(tx, spared):
    steps = 15
    fun, calls = counted(rosenbrock)
    x0 = jnp.linspace(-1.0, 1.5, 6)
    run = minimize(fun, x0, tx, steps=steps, keep_path=False)
    jax.effects_barrier()
    taken = len(calls)

    # The trials alone: the same steps with the value and gradient of each handed over.
    fun, calls = counted(rosenbrock)
    update = jax.jit(lambda g, s, w, v: tx.update(g, s, w, value=v, grad=g, value_fn=fun))
    w, state = x0, tx.init(x0)
    for _ in range(steps):
        value, gradient = jax.value_and_grad(rosenbrock)(w)
        updates, state = update(gradient, state, w, value)
        w = optax.apply_updates(w, updates)
    jax.effects_barrier()
    trials = len(calls)
    # Both before the first step, and the value after the last.
    assert taken == trials + (2 if spared else steps + 1)
    assert run.values[-1] < run.values[0]


@pytest.mark.slow
def test_nothing_is_spared_where_the_loss_is_another_function_at_each_step():
    x = jnp.linspace(-1.0, 1.0, 12)[:, None] * jnp.ones(2)
    data = (x, x @ jnp.array([1.0, -2.0]))
    loss = lambda w, batch: jnp.mean((batch[0] @ w - batch[1]) ** 2)  # noqa: E731
    run = minimize(
        loss, jnp.zeros(2), optax.lbfgs(), 5, data=data, batch_size=3, key=jax.random.key(0)
    )
    own = [loss(w, data) for w in run.path]
    assert np.isfinite(own).all()
    assert own[-1] < own[0]

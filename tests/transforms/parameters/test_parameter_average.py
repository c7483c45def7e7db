"""The average of the parameters themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    accumulate,
    adam,
    apply_if_finite,
    apply_updates,
    chain,
    evaluation_params,
    linear_schedule,
    masked,
    named_chain,
    params_ema,
    params_mean,
    params_window_mean,
    partition,
    sgd,
)

EPS = np.finfo(np.float32).eps


def run(tx, w, steps):
    state, path = tx.init(w), [w]
    for step in range(steps):
        updates, state = tx.update(jnp.sin(1.0 + step) * jnp.ones_like(w), state, w)
        w = apply_updates(w, updates)
        path.append(w)
    return w, state, np.array(path, np.float64)


def test_it_is_the_recursion_over_the_parameters_as_they_are_after_each_step():
    w, state, path = run(chain(adam(0.3), params_ema(0.75)), jnp.array([1.0, -4.0]), 6)
    average = path[0]
    for later in path[1:]:
        average = 0.75 * average + 0.25 * later
    # Six times three roundings, of weights up to 4.
    np.testing.assert_allclose(evaluation_params(state, w), average, rtol=0, atol=4 * 6 * 3 * EPS)


def test_the_updates_pass_unchanged():
    alone = run(adam(0.3), jnp.array([1.0, -4.0]), 3)[0]
    averaged = run(chain(adam(0.3), params_ema(0.9)), jnp.array([1.0, -4.0]), 3)[0]
    # Three steps of a dozen roundings, of weights up to 4 that come near to zero.
    np.testing.assert_allclose(averaged, alone, rtol=0, atol=4 * 3 * 12 * EPS)


def test_a_decay_that_follows_a_schedule_makes_the_plain_mean():
    # With decay t/(t + 1) the average of the points after each step is their mean.
    from gdlab import schedule

    @schedule
    def mean():
        return lambda count: count / (count + 1)

    w, state, path = run(chain(sgd(0.3), params_ema(mean())), jnp.array([2.0]), 5)
    np.testing.assert_allclose(evaluation_params(state, w), path[1:].mean(0), rtol=1e-6)


def test_low_precision_parameters_are_averaged_in_float32_and_read_in_their_dtype():
    w = jnp.array([1.0], jnp.bfloat16)
    tx = chain(sgd(linear_schedule(0.0, 0.0, 1)), params_ema(0.999))
    _, state, _ = run(tx, w, 2)
    found = evaluation_params(state, w)
    assert found.dtype == jnp.bfloat16
    assert found == 1
    assert state.params_ema.average.dtype == jnp.float32


WEIGHTS = {"a": jnp.array(1.0), "b": jnp.array(2.0)}
GRADIENT = {"a": jnp.array(0.5), "b": jnp.array(0.5)}
NESTED = {
    "in a chain": lambda tx: chain(chain(sgd(1.0), tx)),
    "accumulated": lambda tx: accumulate(chain(sgd(1.0), tx), 1),
    "guarded": lambda tx: apply_if_finite(chain(sgd(1.0), tx)),
    "in a chain of optax": lambda tx: optax.chain(
        sgd(1.0), optax.GradientTransformationExtraArgs(*tx)
    ),
    "in a dictionary": lambda tx: named_chain(("descend", sgd(1.0)), ("average", tx)),
}


@pytest.mark.parametrize("nest", NESTED.values(), ids=NESTED)
def test_it_is_found_wherever_it_stands(nest):
    tx = nest(params_ema(0.5))
    _, state = tx.update(GRADIENT, tx.init(WEIGHTS), WEIGHTS)
    found = evaluation_params({"optimizer": [state]}, WEIGHTS)
    assert jax.tree.map(float, found) == {"a": 0.75, "b": 1.75}


def test_what_is_not_averaged_is_evaluated_as_it_is():
    tx = chain(sgd(1.0), masked(params_ema(0.5), "a"))
    _, state = tx.update(GRADIENT, tx.init(WEIGHTS), WEIGHTS)
    assert jax.tree.map(float, evaluation_params(state, WEIGHTS)) == {"a": 0.75, "b": 2.0}
    assert evaluation_params(sgd(0.1).init(WEIGHTS), WEIGHTS) == WEIGHTS
    module = {"w": jnp.ones(1), "steps": jnp.array(3), "activation": jnp.tanh}
    found = evaluation_params(params_ema(0.5).init(module), module)
    assert (found["steps"], found["activation"]) == (3, jnp.tanh)


def test_groups_average_their_own():
    tx = partition({"a": params_ema(0.5), "b": sgd(1.0)}, [("a", "a"), ("b", "b")])
    _, state = tx.update(GRADIENT, tx.init(WEIGHTS), WEIGHTS)
    assert jax.tree.map(float, evaluation_params(state, WEIGHTS)) == {"a": 1.25, "b": 2.0}


def test_two_averages_of_one_leaf_are_refused():
    state = chain(params_ema(0.5), params_ema(0.9)).init(WEIGHTS)
    with pytest.raises(ValueError, match="2 parts of the state average the parameters"):
        evaluation_params(state, WEIGHTS)


def test_integers_and_modules_under_jit_are_kept():
    module = {"w": jnp.ones(2), "n": jnp.array(3)}
    tx = chain(sgd(1.0), params_ema(0.5))
    gradient = jax.grad(lambda p: jnp.sum(p["w"] ** 2), allow_int=True)(module)
    _, state = jax.jit(tx.update)(gradient, tx.init(module), module)
    assert evaluation_params(state, module)["n"] == 3


def snapshots(path, start, every):
    """The points of a path that are averaged, of which the first is the start of the run."""
    return [w for step, w in enumerate(path) if step > start and (step - start) % every == 0]


SNAPSHOTS = [(0, 1), (0, 3), (4, 1), (3, 2), (20, 1)]


@pytest.mark.x64
@pytest.mark.parametrize(("start", "every"), SNAPSHOTS)
def test_the_mean_and_the_last_ones_are_those_of_the_points_that_were_asked_for(start, every):
    for tx, last in (
        (params_mean(start, every), None),
        (params_window_mean(3, start, every), 3),
    ):
        w, state, path = run(chain(adam(0.3), tx), jnp.array([1.0, -4.0]), 11)
        points = snapshots(path, start, every)[-last if last else None :]
        expected = np.mean(points, axis=0) if points else path[-1]
        np.testing.assert_allclose(evaluation_params(state, w), expected, rtol=1e-13)


@pytest.mark.x64
def test_the_mean_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    w, state, path = run(chain(sgd(0.3), params_mean()), jnp.array([1.0, -4.0]), 8)
    model = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    for point in path[1:]:
        model.weight.data = torch.tensor(point[None])
        averaged.update_parameters(model)
    found = averaged.module.weight.detach().numpy()[0]
    np.testing.assert_allclose(evaluation_params(state, w), found, rtol=1e-13)


@pytest.mark.x64
def test_the_exponential_average_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    w, state, path = run(chain(sgd(0.3), params_ema(0.9)), jnp.array([1.0, -4.0]), 8)
    model = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    # torch begins with the first point that it is given.
    for point in path:
        model.weight.data = torch.tensor(point[None])
        averaged.update_parameters(model)
    found = averaged.module.weight.detach().numpy()[0]
    np.testing.assert_allclose(evaluation_params(state, w), found, rtol=1e-13)


def test_a_window_of_one_is_the_last_snapshot_and_a_window_of_none_is_refused():
    w, state, path = run(chain(sgd(0.3), params_window_mean(1, every=2)), jnp.array([2.0]), 5)
    np.testing.assert_allclose(evaluation_params(state, w), path[4], rtol=EPS)
    with pytest.raises(ValueError, match="window must be a whole number between 1"):
        params_window_mean(0).init(w)


def test_means_are_swept_over_their_start():
    found = jax.vmap(lambda start: run_mean(params_mean(start), 6))(jnp.array([0.0, 3.0]))
    for lane, start in zip(found, (0, 3), strict=True):
        np.testing.assert_allclose(lane, run_mean(params_mean(start), 6), rtol=2 * EPS)


def run_mean(tx, steps):
    w = jnp.array([1.0, -4.0])
    tx = chain(sgd(0.3), tx)
    state = tx.init(w)
    for step in range(steps):
        updates, state = tx.update(jnp.sin(1.0 + step) * jnp.ones_like(w), state, w)
        w = apply_updates(w, updates)
    return evaluation_params(state, w)


def test_the_mean_of_scattered_points_has_one_nth_of_their_variance():
    curvature, rate, steps = 0.5, 1.0, 400
    # w ← (1 − ηλ)w − η·noise: the mean of n points has the variance σ²/(λ²n), nearly.

    def one(key):
        tx = chain(sgd(rate), params_mean(start=100))

        def step(carry, noise):
            w, state = carry
            updates, state = tx.update(curvature * w + noise, state, w)
            return (apply_updates(w, updates), state), None

        w = jnp.zeros(())
        noise = jax.random.normal(key, (steps + 100,))
        (w, state), _ = jax.lax.scan(step, (w, tx.init(w)), noise)
        return evaluation_params(state, w)

    means = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 2000))
    # 2000 draws tell a variance to 3 per cent; what the ends of the tail add is 1 in 100.
    assert float(jnp.var(means)) == pytest.approx(1 / (curvature**2 * steps), rel=0.1)

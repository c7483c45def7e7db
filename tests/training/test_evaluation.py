"""Evaluations of ``minimize`` on the way, against the path of the same run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import minimize, nesterov, schedule_free_sgd, sgd

CURVATURES = jnp.array([1.0, 4.0])
START = jnp.array([3.0, -2.0])
EXAMPLES = jnp.arange(10.0)[:, None] * jnp.array([0.1, -0.2])


def bowl(w):
    return 0.5 * jnp.sum(CURVATURES * w**2)


def distance(w, batch):
    return jnp.mean(jnp.sum((w - batch) ** 2, axis=-1))


def held_out(w):
    return {"distance": jnp.sum(jnp.abs(w - 1)), "largest": jnp.max(w)}


def expected(path, steps):
    """The values at these points of a path, in NumPy."""
    at = np.asarray(path, float)[steps]
    return {"distance": np.sum(np.abs(at - 1), axis=-1), "largest": np.max(at, axis=-1)}


def require_like_path(run, steps):
    np.testing.assert_array_equal(run.evaluated_steps, steps)
    for name, values in expected(run.path, steps).items():
        np.testing.assert_allclose(run.metrics[name], values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("every", "steps"),
    [(1, range(8)), (3, [0, 3, 6, 7]), (7, [0, 7]), (10, [0, 7]), (None, [0, 7])],
)
def test_a_run_is_evaluated_at_its_start_every_few_steps_and_at_its_end(every, steps):
    run = minimize(bowl, START, nesterov(0.1), 7, evaluate=held_out, evaluate_every=every)
    require_like_path(run, list(steps))


def test_no_steps_are_evaluated_once():
    run = minimize(bowl, START, sgd(0.1), 0, evaluate=held_out, evaluate_every=2)
    require_like_path(run, [0])


def test_an_epoch_is_as_many_steps_as_it_has_batches():
    run = minimize(
        distance, START, sgd(0.1), epochs=2, data=EXAMPLES, batch_size=4, key=jax.random.key(0),
        evaluate=held_out, evaluate_every="epoch",
    )  # fmt: skip
    require_like_path(run, [0, 3, 6])


def test_a_run_over_a_loader_is_evaluated_like_one_over_arrays():
    class Loader:
        def __iter__(self):
            return iter(np.split(np.asarray(EXAMPLES), 5))

    more = {"evaluate": held_out, "evaluate_every": 3}
    require_like_path(minimize(distance, START, sgd(0.1), 8, data=Loader(), **more), [0, 3, 6, 8])


def test_parameters_to_evaluate_are_evaluated():
    tx = schedule_free_sgd(0.2)
    run = minimize(bowl, START, tx, 6, evaluate=lambda w: w, evaluate_every=6)
    np.testing.assert_allclose(run.metrics[-1], run.evaluation_params, rtol=1e-6)
    assert np.max(np.abs(run.metrics[-1] - run.params)) > 0.01


def test_lanes_of_vmap_are_evaluated_each():
    def curve(rate):
        run = minimize(bowl, START, sgd(rate), 5, evaluate=bowl, evaluate_every=2)
        return run.metrics, run.values

    metrics, values = jax.vmap(curve)(jnp.array([0.05, 0.2]))
    np.testing.assert_allclose(metrics, values[:, np.array([0, 2, 4, 5])], rtol=1e-6)


def test_a_run_that_goes_on_counts_all_steps():
    half = minimize(bowl, START, nesterov(0.1), 4, evaluate=bowl, evaluate_every=2)
    rest = minimize(
        bowl, half.params, nesterov(0.1), 4, state=half.state, first_step=half.steps,
        evaluate=bowl, evaluate_every=2,
    )  # fmt: skip
    np.testing.assert_array_equal(rest.evaluated_steps, [4, 6, 8])
    np.testing.assert_allclose(rest.metrics, rest.values[np.array([0, 2, 4])], rtol=1e-6)


def test_a_model_state_is_given_to_the_evaluation():
    def counted(w, model_state):
        return bowl(w), model_state + 1

    run = minimize(
        counted, START, sgd(0.1), 5, model_state=jnp.float32(0),
        evaluate=lambda w, count: count, evaluate_every=2,
    )  # fmt: skip
    np.testing.assert_array_equal(run.metrics, [0, 2, 4, 5])


def test_an_evaluation_that_returns_no_arrays_is_refused():
    with pytest.raises(TypeError, match=r"evaluate must return a tree of arrays, not {'a': 'x'}"):
        minimize(bowl, START, sgd(0.1), 5, evaluate=lambda w: {"a": "x"})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"evaluate_every": 2}, "evaluate_every=2 is given, but no evaluate"),
        ({"evaluate": bowl, "evaluate_every": 0}, "evaluate_every"),
        ({"evaluate": bowl, "evaluate_every": "epoch"}, "an epoch is a pass over data"),
        ({"evaluate": bowl, "tol": 1e-3}, "tol ends a run wherever it has converged, and evaluate"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(more, message):
    with pytest.raises(ValueError, match=message):
        minimize(bowl, START, sgd(0.1), 5, **more)

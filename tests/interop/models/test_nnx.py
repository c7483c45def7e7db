"""Flax NNX modules, against training loops as Flax's users write them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from gdlab import Axis, Outcome, adam, lbfgs, minimize, sgd, sweep
from gdlab.analysis import (
    empirical_fisher_vector_product,
    gauss_newton_vector_product,
    hessian_vector_product,
)
from gdlab.interop import trainable
from tests.interop.models.networks import DATA, NnxNet, nnx_loss, squared_error

KEY = jax.random.key(3)


def as_numbers(model, kind=...):
    state = nnx.to_pure_dict(nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat), ...)[0])
    return nnx.to_pure_dict(nnx.state(model, kind)) if kind is not ... else state


def by_hand(model, steps):
    """The loop of the Flax documentation; the one dropout stream is keyed as gdlab says."""
    optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, key):
        model.dropout.rngs.key.set_value(jax.random.fold_in(jax.random.fold_in(key, 2), 0))
        model.dropout.rngs.count.set_value(jnp.uint32(0))
        loss, grads = nnx.value_and_grad(nnx_loss)(model, DATA)
        optimizer.update(model, grads)
        return loss

    return [step(model, optimizer, jax.random.fold_in(KEY, number)) for number in range(steps)]


def test_each_step_is_that_of_nnx_optimizer_with_batch_norm_dropout_and_a_shared_layer():
    model, given = NnxNet(nnx.Rngs(0)), NnxNet(nnx.Rngs(0))
    losses = by_hand(model, 5)
    run = minimize(nnx_loss, given, adam(0.01), 5, data=DATA, key=KEY)
    np.testing.assert_allclose(run.values[:-1], losses, rtol=1e-5)
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6),
        as_numbers(run.params),
        as_numbers(model),
    )
    assert run.params.again is run.params.body
    # The module that was handed in is as it was made.
    jax.tree.map(np.testing.assert_array_equal, as_numbers(given), as_numbers(NnxNet(nnx.Rngs(0))))


def test_only_the_variables_that_a_filter_chooses_are_trained():
    model = NnxNet(nnx.Rngs(0))
    last = nnx.All(nnx.Param, nnx.PathContains("last"))
    run = minimize(nnx_loss, trainable(model, last), adam(0.1), 3, data=DATA, key=KEY)
    assert list(run.state.mu) == ["last"]
    np.testing.assert_array_equal(run.params.body.kernel[...], model.body.kernel[...])
    assert not np.allclose(run.params.last.kernel[...], model.last.kernel[...])
    assert not np.allclose(run.params.norm.mean[...], model.norm.mean[...])
    with pytest.raises(ValueError, match=r"LoRAParam.*its variables are BatchStat, Param"):
        minimize(nnx_loss, trainable(model, nnx.LoRAParam), adam(0.1), 3, data=DATA, key=KEY)


class Counting(nnx.Module):
    """It counts its calls, and takes notes that are not there before the first."""

    def __init__(self):
        self.weights = nnx.List([nnx.Param(jnp.ones(2)), nnx.Param(jnp.ones(()))])
        self.calls = nnx.Variable(jnp.array(0))

    def __call__(self, x):
        self.calls[...] += 1
        self.inputs = nnx.Intermediate(x)
        return jnp.vdot(self.weights[0][...], x) + self.weights[1][...]


def test_paths_are_dotted_names_and_variables_of_any_kind_are_carried():
    loss = lambda model: model(jnp.ones(2)) ** 2  # noqa: E731
    run = minimize(loss, Counting(), sgd(0.1, momentum=0.9), 4)
    assert int(run.params.calls[...]) == 4
    assert jax.tree.map(jnp.shape, run.state.trace) == {"weights": {"0": (2,), "1": ()}}


@pytest.mark.slow
def test_a_tree_of_modules_is_trained_as_a_whole():
    pair = {"a": nnx.Linear(2, 1, rngs=nnx.Rngs(0)), "b": nnx.Linear(2, 1, rngs=nnx.Rngs(1))}
    loss = lambda pair: jnp.sum((pair["a"](jnp.ones(2)) - pair["b"](jnp.ones(2)) - 1) ** 2)  # noqa: E731
    run = minimize(loss, pair, sgd(0.1), 40)
    assert isinstance(run.params["b"], nnx.Linear)
    assert run.values[-1] < 1e-3


@pytest.mark.slow
def test_a_model_without_state_or_randomness_converges_to_a_tolerance_within_bounds():
    settings = {"data": DATA, "tol": 1e-4, "bounds": ({"kernel": 0.0, "bias": None}, None)}
    run = minimize(nnx_loss, nnx.Linear(3, 1, rngs=nnx.Rngs(0)), lbfgs(), 50, **settings)
    assert run.outcome == Outcome.CONVERGED
    assert jnp.min(run.params.kernel[...]) == 0
    lower = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    lower.kernel[...], lower.bias[...] = jnp.zeros((3, 1)), -jnp.inf * jnp.ones(1)
    settings["bounds"] = lower, None
    again = minimize(nnx_loss, nnx.Linear(3, 1, rngs=nnx.Rngs(0)), lbfgs(), 50, **settings)
    np.testing.assert_allclose(again.params.kernel[...], run.params.kernel[...], atol=1e-6)
    with pytest.raises(ValueError, match="the loss changes from step to step"):
        minimize(nnx_loss, NnxNet(nnx.Rngs(0)), lbfgs(), 50, key=KEY, **settings)


@pytest.mark.slow
def test_a_result_of_several_problems_has_the_model_of_each_and_runs_one_again():
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    result = sweep(
        {"here": nnx_loss, "there": nnx_loss},
        {"here": model, "there": model},
        sgd(Axis("learning_rate", [0.01, 0.1])),
        {"here": DATA, "there": {"x": DATA["x"], "y": -DATA["y"]}},
        steps=3, keep_params="all", progress=False,
    )  # fmt: skip
    one = {"problem": "there", "learning_rate": 0.1}
    kernel = result.model(**one).kernel[...]
    again = result.rerun(one).model()
    np.testing.assert_allclose(again.kernel[...], kernel, rtol=1e-6)
    assert not np.allclose(result.model(problem="here", learning_rate=0.1).kernel[...], kernel)


def hessian(module_of, params):
    loss = lambda params, batch: nnx_loss(module_of(params), batch)  # noqa: E731
    return hessian_vector_product(loss, params, params, DATA)


def fisher(module_of, params):
    log_likelihood = lambda params, one: -nnx_loss(module_of(params), one)  # noqa: E731
    return empirical_fisher_vector_product(log_likelihood, params, params, DATA)


def gauss_newton(module_of, params):
    model = lambda params, x: module_of(params)(x)  # noqa: E731
    return gauss_newton_vector_product(
        model, squared_error, params, params, (DATA["x"], {"y": DATA["y"]})
    )


@pytest.mark.parametrize(
    "product",
    [
        hessian,
        pytest.param(fisher, marks=pytest.mark.slow),
        pytest.param(gauss_newton, marks=pytest.mark.slow),
    ],
)
def test_a_curvature_of_a_module_is_that_of_the_pure_function_of_its_parameters(product):
    model = NnxNet(nnx.Rngs(0))
    model.eval()
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def with_params(arrays):
        copy = nnx.merge(graph, params, rest, copy=True)
        nnx.update(copy, arrays)
        return copy

    found = product(lambda model: model, model)
    expected = nnx.to_pure_dict(product(with_params, nnx.state(model, nnx.Param)))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected
    )


@pytest.mark.slow
def test_aux_and_a_state_of_the_loss_go_beside_what_the_model_holds():
    def loss(model, batch, model_state):
        value = nnx_loss(model, batch)
        return value, (model_state + 1, {"mean": model.norm.mean[...][0]})

    settings = {"data": DATA, "has_aux": True, "model_state": jnp.array(0)}
    run = minimize(loss, NnxNet(nnx.Rngs(0)), adam(0.01), 3, key=KEY, **settings)
    result = sweep(
        loss, NnxNet(nnx.Rngs(0)), adam(0.01), steps=3, key=KEY, progress=False, **settings,
        evaluate=lambda model, model_state: {"mean": model.norm.mean[...][0], "calls": model_state},
    )  # fmt: skip
    assert int(run.model_state) == 3
    assert result.metrics["calls"] == 3
    # The statistics of a call are those that the next step starts from.
    np.testing.assert_allclose(run.aux["mean"][2], run.params.norm.mean[...][0], rtol=1e-6)
    np.testing.assert_allclose(result.metrics["mean"][0], result.aux["mean"][0, 2], rtol=1e-6)

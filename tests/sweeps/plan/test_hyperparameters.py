"""Axes wherever a number may stand, against closed forms and single runs; several at once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import (
    Axis,
    Resources,
    Stopping,
    SuccessiveHalving,
    adam,
    minimize,
    sgd,
    sweep,
)
from gdlab.sweeps import PopulationBasedTraining
from tests.sweeps.counting import count_compilations

STEPS = 6


def ridge(w, batch, penalty):
    x, y = batch
    return jnp.mean((x @ w - y) ** 2) + penalty * jnp.sum(w**2)


def start(key, scale):
    return scale * jax.random.normal(key, (3,))


def size(w, unit):
    return jnp.sqrt(jnp.sum(w**2)) / unit


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 3)).astype(np.float32)
    return x, x @ np.array([1.0, -2.0, 0.5], np.float32)


def descended(x, y, w, rate, penalty):
    """Gradient descent on the penalized squared error in float64, by its own gradient."""
    x, y, w = (np.asarray(array, np.float64) for array in (x, y, w))
    losses = []
    for step in range(STEPS + 1):
        residual = x @ w - y
        losses.append(np.mean(residual**2) + penalty * np.sum(w**2))
        if step < STEPS:
            w = w - rate * (2 * x.T @ residual / len(y) + 2 * penalty * w)
    return losses, w


def test_axes_in_optimizer_loss_start_and_evaluation_meet_in_each_lane(regression):
    rates, penalties, scales, units = [0.05, 0.1], [0.0, 0.5], [1.0, 3.0], [1.0, 10.0]
    result = sweep(
        ridge,
        start,
        sgd(Axis("rate", rates)),
        regression,
        steps=STEPS,
        seeds=2,
        evaluate=size,
        hyperparameters={
            "penalty": Axis("penalty", penalties),
            "scale": Axis("scale", scales),
            "unit": Axis("unit", units),
        },
        keep_params="all",
    )
    assert result.dims == ("rate", "penalty", "scale", "unit", "seed")
    assert result.params.shape == (2, 2, 2, 2, 2, 3)
    # The start at scale 1 is taken from a lane that has not moved: what is tested is its scale.
    first = sweep(
        ridge, start, sgd(0.0), regression, steps=1, seeds=2, keep_params="all",
        hyperparameters={"penalty": 0.0, "scale": 1.0},
    ).params  # fmt: skip
    assert np.abs(first[0] - first[1]).max() > 0.1
    for place in np.ndindex(2, 2, 2, 2, 2):
        i, j, k, u, seed = place
        losses, w = descended(
            *regression, scales[k] * np.asarray(first[seed], float), rates[i], penalties[j]
        )
        np.testing.assert_allclose(result.loss[place], losses, rtol=2e-5)
        np.testing.assert_allclose(result.params[place], w, rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(
            result.metrics["size"][place], np.linalg.norm(w) / units[u], rtol=2e-5
        )


def test_a_hyperparameter_reaches_all_that_have_a_parameter_of_its_name():
    def loss(w, scale):
        return scale * jnp.sum(w**2)

    def init(key, scale):
        return jnp.full(2, scale)

    scales = np.array([1.0, 2.0, 3.0])
    result = sweep(
        loss,
        init,
        sgd(0.0),
        steps=1,
        hyperparameters={"scale": Axis("scale", scales)},
        evaluate=lambda w, scale: scale + jnp.sum(w),
    )
    np.testing.assert_allclose(result.final_loss[:, 0], 2 * scales**3, rtol=1e-6)
    np.testing.assert_allclose(result.metrics["evaluation"][:, 0], 3 * scales, rtol=1e-6)


def test_a_hyperparameter_may_be_an_array_or_taken_with_double_stars():
    def loss(w, **given):
        return jnp.sum(given["weights"] * w**2) + given["shift"]

    result = sweep(
        loss,
        jnp.ones(3),
        sgd(0.0),
        steps=1,
        hyperparameters={"weights": np.array([1.0, 2.0, 4.0]), "shift": Axis("shift", [0.0, 5.0])},
    )
    np.testing.assert_allclose(result.final_loss[:, 0], [7.0, 12.0], rtol=1e-6)


def test_the_length_of_a_warm_up_can_be_swept():
    """Against optax's schedule in a loop of Python's own."""
    lengths, peak = [1, 3, 8], 0.3
    tx = sgd(gdlab.linear_schedule(0.0, peak, Axis("warm_up", lengths)))
    result = sweep(lambda w: jnp.sum(w**2), jnp.ones(1), tx, steps=10)
    for i, length in enumerate(lengths):
        schedule, w, losses = optax.linear_schedule(0.0, peak, length), 1.0, []
        for step in range(11):
            losses.append(w**2)
            w *= 1 - 2 * float(schedule(step))
        np.testing.assert_allclose(result.loss[i, 0], losses, rtol=1e-5)


def test_axes_can_stand_among_the_parameters():
    start = {"w": Axis("w", [1.0, -2.0, 4.0]), "bias": jnp.zeros(2)}
    loss = lambda p: p["w"] ** 2 + jnp.sum((p["bias"] - 1) ** 2)  # noqa: E731
    result = sweep(loss, start, sgd(Axis("rate", [0.1, 0.25])), steps=4, seeds=2)
    assert result.dims == ("rate", "w", "seed")
    for i, rate in enumerate([0.1, 0.25]):
        shrink = (1 - 2 * rate) ** (2 * np.arange(5))
        for j, first in enumerate([1.0, -2.0, 4.0]):
            np.testing.assert_allclose(result.loss[i, j], [(first**2 + 2) * shrink] * 2, rtol=1e-5)


def test_a_sweep_without_axes_is_one_run():
    result = sweep(lambda w: jnp.sum(w**2), jnp.ones(2), adam(0.1), steps=STEPS)
    assert result.dims == ("seed",)
    run = minimize(lambda w: jnp.sum(w**2), jnp.ones(2), adam(0.1), STEPS)
    np.testing.assert_allclose(result.loss[0], run.values, rtol=1e-5)


def test_seeds_are_what_they_are_called_whatever_stands_beside_them(regression):
    arguments = {"steps": 2, "hyperparameters": {"penalty": 0.0, "scale": 1.0}, "batch_size": 5}
    three = sweep(ridge, start, sgd(0.1), regression, seeds=3, **arguments)
    some = sweep(ridge, start, sgd(0.1), regression, seeds=[7, 2, 0], **arguments)
    np.testing.assert_array_equal(some.coords["seed"], [7, 2, 0])
    # Two steps and a loss, of sums of three products over five examples.
    np.testing.assert_allclose(some.loss[1:], three.loss[[2, 0]], rtol=1e-5)
    assert not np.isclose(some.loss[0, 0], three.loss[:, 0]).any()


def test_a_hyperparameter_that_nothing_takes_is_refused():
    with pytest.raises(ValueError, match=r"neither the loss nor .* 'smoothing'"):
        sweep(
            lambda w, scale: scale * jnp.sum(w**2),
            jnp.ones(2),
            sgd(0.1),
            steps=1,
            hyperparameters={"scale": 1.0, "smoothing": Axis("smoothing", [0.1])},
        )


@pytest.mark.parametrize("name", ["key", "model_state"])
def test_what_the_sweep_itself_passes_is_refused_as_a_hyperparameter(name):
    with pytest.raises(ValueError, match=f"the sweep itself passes '{name}'"):
        sweep(
            lambda w, key, model_state: (jnp.sum(w**2), model_state),
            jnp.ones(2),
            sgd(0.1),
            steps=1,
            hyperparameters={name: 1.0},
        )


def bowl(w):
    return 0.5 * jnp.sum(w**2)


def valley(w):
    return 0.5 * (w[0] ** 2 + 4 * w[1] ** 2)


def test_several_problems_and_optimizers_with_the_same_axes_are_one_result():
    rates = [0.05, 0.1, 0.4]
    starts = {"bowl": jnp.ones(3), "valley": jnp.array([2.0, 1.0])}
    result = sweep(
        {"bowl": bowl, "valley": valley},
        starts,
        {"plain": sgd(Axis("rate", rates)), "heavy": sgd(Axis("rate", rates), 0.5)},
        steps=STEPS,
    )
    assert result.dims == ("problem", "optimizer", "rate", "seed")
    np.testing.assert_array_equal(result.coords["problem"], ["bowl", "valley"])
    np.testing.assert_array_equal(result.coords["optimizer"], ["plain", "heavy"])
    curvatures = {"bowl": np.ones(3), "valley": np.array([1.0, 4.0])}
    for i, name in enumerate(starts):
        for j, momentum in enumerate([0.0, 0.5]):
            for k, rate in enumerate(rates):
                w, velocity, losses = np.asarray(starts[name], float), 0.0, []
                for _ in range(STEPS + 1):
                    losses.append(0.5 * np.sum(curvatures[name] * w**2))
                    velocity = momentum * velocity + curvatures[name] * w
                    w = w - rate * velocity
                np.testing.assert_allclose(result.loss[i, j, k, 0], losses, rtol=1e-4, atol=1e-9)


def test_results_with_different_axes_come_by_name():
    optimizers = {"one": sgd(Axis("a", [0.1])), "other": sgd(Axis("b", [0.1, 0.2]))}
    results = sweep(
        {"bowl": bowl, "valley": valley},
        {"bowl": jnp.ones(3), "valley": jnp.ones(2)},
        optimizers,
        steps=1,
    )
    assert {problem: list(parts) for problem, parts in results.items()} == {
        "bowl": ["one", "other"],
        "valley": ["one", "other"],
    }
    # (1 − η)² of the first loss, ½·3.
    np.testing.assert_allclose(
        results["bowl"]["other"].final_loss[:, 0], 1.5 * np.array([0.81, 0.64]), rtol=1e-6
    )


def test_problems_have_data_of_their_own(regression):
    x, y = regression
    result = sweep(
        {"all": ridge, "half": ridge},
        {"all": jnp.zeros(3), "half": jnp.ones(3)},
        sgd(Axis("rate", [0.05])),
        {"all": (x, y), "half": (x[:5], y[:5])},
        steps=STEPS,
        hyperparameters={"penalty": 0.1},
    )
    assert result.dims == ("problem", "rate", "seed")
    for i, (count, first) in enumerate([(10, 0.0), (5, 1.0)]):
        losses, _ = descended(x[:count], y[:count], np.full(3, first), 0.05, 0.1)
        np.testing.assert_allclose(result.loss[i, 0, 0], losses, rtol=2e-5)


MANNERS = {
    "plain": {},
    "loss": {"hyperparameters": {"penalty": Axis("penalty", [0.1]), "scale": 1.0}},
    "start": {"hyperparameters": {"penalty": 0.1, "scale": Axis("scale", [1.0])}},
    "halving": {"policy": SuccessiveHalving(factor=2, rungs=[2, 4])},
    "population": {"policy": PopulationBasedTraining(every=2, fraction=0.25)},
    "chunks": {"resources": Resources(lane_chunk=4)},
    "seeds in chunks": {"resources": Resources(lane_chunk=1)},
    "targets": {"stopping": Stopping({"loss": 0.01, "gradient_norm": 1.0})},
    "evaluation": {
        "evaluate": size,
        "hyperparameters": {"penalty": 0.1, "scale": 1.0, "unit": 2.0},
        "policy": SuccessiveHalving(factor=2, rungs=[3], metric="size", maximize=False),
        "keep_params": "best",
    },
    "exact": {"resources": Resources(exact=True)},
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("manner", MANNERS)
def test_a_second_sweep_of_the_same_shape_compiles_nothing(regression, manner):
    rest = {"hyperparameters": {"penalty": 0.1, "scale": 1.0}} | MANNERS[manner]

    def run(lowest, key):
        rates = Axis("rate", np.geomspace(lowest, 0.1, 8))
        sweep(
            ridge, start, sgd(rates), regression, steps=STEPS, seeds=2,
            key=jax.random.key(key), **rest,
        )  # fmt: skip

    run(1e-3, 0)
    # Other values rank otherwise, and stop elsewhere.
    assert count_compilations(lambda: run(1e-2, 1)) == 0


@pytest.mark.parametrize("sampling", ["sobol", "random"])
def test_other_samples_compile_nothing(regression, sampling):
    def run(lowest):
        sweep(
            ridge, start, sgd(Axis.log_uniform("rate", lowest, 0.1)), regression,
            steps=STEPS, samples=8, sampling=sampling,
            hyperparameters={"penalty": Axis.uniform("penalty", 0.0, 1.0), "scale": 1.0},
        )  # fmt: skip

    run(1e-3)
    assert count_compilations(lambda: run(1e-2)) == 0


@pytest.mark.parametrize("name", ["number", "points", "lanes", "tx"])
def test_an_axis_may_be_called_anything_that_the_result_does_not_use(name):
    rates = [0.1, 0.3]
    result = sweep(lambda w: w**2, 1.0, sgd(Axis(name, rates)), steps=STEPS)
    expected = [(1 - 2 * rate) ** (2 * STEPS) for rate in rates]
    np.testing.assert_allclose(result.final_loss[:, 0], expected, rtol=1e-5)
    mapped = gdlab.map_axes(lambda x: x)(Axis(name, rates))
    np.testing.assert_allclose(mapped.values, rates, rtol=1e-6)

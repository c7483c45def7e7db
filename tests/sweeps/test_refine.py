"""Refinement by hypergradients against closed forms, differences and SciPy's searches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from gdlab import (
    Axis,
    SweepResult,
    adam,
    linear_schedule,
    refine,
    sgd,
    sweep,
    warmup_cosine_decay_schedule,
)
from gdlab.sweeps.refinement.runs import value_along
from gdlab.sweeps.refinement.starts import starts_of
from gdlab.sweeps.refinement.values import RunValues

pytestmark = pytest.mark.x64

MU, L = 1.0, 10.0


def quadratic(curvatures):
    curvatures = np.asarray(curvatures, float)
    return lambda w: 0.5 * jnp.sum(curvatures * w**2)


def heavy_ball(rates=(0.03, 0.1, 0.2), momenta=(0.1, 0.3, 0.6, 0.9)):
    return sgd(Axis("learning_rate", rates), momentum=Axis("momentum", momenta))


def slowest_rate(tx):
    """The spectral radius of a step on the smallest and the largest curvature."""
    zero = jnp.zeros(())
    flat, unravel = ravel_pytree((zero, tx.init(zero)))

    def step(curvature, z):
        w, state = unravel(z)
        update, state = tx.update(curvature * w, state, w)
        return ravel_pytree((w + update, state))[0]

    def radius(curvature):
        return jnp.max(jnp.abs(jnp.linalg.eigvals(jax.jacfwd(step, 1)(curvature, flat))))

    return jnp.max(jax.vmap(radius)(jnp.array([MU, L])))


def test_the_best_learning_rate_for_two_curvatures_is_two_over_their_sum():
    # Gradients of one size at the start make it so after any number of steps.
    start = jnp.array([1 / MU, 1 / L])
    result = sweep(
        quadratic([MU, L]), start, sgd(Axis("learning_rate", [0.02, 0.1, 0.15])), steps=7
    )
    refined = refine(result, starts=3)
    assert refined.status == ("converged",) * 3
    for path in refined.paths:
        np.testing.assert_allclose(path[-1], [2 / (MU + L)], rtol=1e-7)


def test_heavy_ball_comes_from_a_rough_grid_to_polyaks_optimum():
    result = sweep(quadratic([MU, L]), jnp.ones(2), heavy_ball(), steps=60)
    # One of these starts lies on a kink of the rate, where its gradient is not the differences'.
    refined = refine(result, objective=slowest_rate, starts=3)
    root, roots = np.sqrt(L / MU), np.sqrt(L) + np.sqrt(MU)
    polyak = (2 / roots) ** 2, ((root - 1) / (root + 1)) ** 2
    for path in refined.paths:
        np.testing.assert_allclose(path[-1], polyak, atol=1e-6)
    assert refined.metric == "slowest_rate"


def test_the_end_is_the_minimum_that_scipy_finds_of_the_polynomials_of_heavy_ball():
    curvatures, steps = np.array([1.0, 2.5, 6.0, 10.0]), 15

    def loss(x):
        rate, momentum = x
        old, w = np.ones(4), np.ones(4)
        for _ in range(steps):
            old, w = w, w - rate * curvatures * w + momentum * (w - old)
        return 0.5 * np.sum(curvatures * w**2)

    result = sweep(quadratic(curvatures), jnp.ones(4), heavy_ball(), steps=steps)
    refined = refine(result)
    end = np.array([refined.best()[name] for name in refined.names])
    found = minimize(loss, end, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-20})
    np.testing.assert_allclose(end, found.x, rtol=1e-6)
    np.testing.assert_allclose(refined.best()["final_loss"], loss(end), rtol=1e-9)


def test_two_knots_of_a_schedule_become_the_inverse_curvatures():
    # (1 − η₁λ)(1 − η₂λ) is zero on both curvatures for these alone.
    rates = linear_schedule(Axis("first", [0.5, 0.8]), Axis("second", [0.15, 0.2]), 1)
    result = sweep(quadratic([MU, L]), jnp.ones(2), sgd(rates), steps=2)
    refined = refine(result)
    np.testing.assert_allclose(refined.paths[0][-1], [1 / MU, 1 / L], rtol=1e-6)


@pytest.fixture(scope="module")
def network():
    """A sweep of a small network over batches and seeds, in float64."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        inputs = rng.normal(size=(48, 3))
        outputs = np.sin(inputs @ rng.normal(size=(3, 2)))

        def init(key):
            first, second = jax.random.split(key)
            return {
                "hidden": jax.random.normal(first, (3, 8)),
                "output": jax.random.normal(second, (8, 2)) / 3,
            }

        def loss(params, batch, decay):
            predicted = jnp.tanh(batch[0] @ params["hidden"]) @ params["output"]
            return jnp.mean((predicted - batch[1]) ** 2) + decay * jnp.sum(params["hidden"] ** 2)

        rate = warmup_cosine_decay_schedule(1e-3, Axis("peak", [0.003, 0.02]), 4, 16, 1e-3)
        yield sweep(
            loss,
            init,
            adam(rate),
            (inputs, outputs),
            steps=16,
            batch_size=16,
            seeds=2,
            hyperparameters={"decay": Axis("decay", [1e-4, 1e-2])},
            evaluate=lambda params: {"held_out_loss": loss(params, (inputs, outputs), 0.0)},
        )


NAMES = ["peak", "decay", "b1", "b2", "learning_rate.end_value"]


def test_hypergradients_are_the_central_differences_of_whole_runs(network):
    starts = starts_of(network, NAMES, metric="held_out_loss", maximize=False, count=1)
    names = [starts.name_of(name) for name in NAMES]
    runs = RunValues(value_along(starts, "held_out_loss", None), names)
    values, slopes = runs.with_slopes(starts.points)
    for column, name in enumerate(names):
        step = 1e-5 * starts.points[name]
        ahead, behind = (
            runs.values({**starts.points, name: starts.points[name] + sign * step})
            for sign in (1, -1)
        )
        np.testing.assert_allclose(slopes[:, column], (ahead - behind) / (2 * step), rtol=1e-5)
    best = network.best("held_out_loss", rule="mean")
    np.testing.assert_allclose(values[0], best["held_out_loss"], rtol=1e-12)


@pytest.mark.slow
def test_a_refined_network_is_as_good_as_is_said_of_it(network):
    refined = refine(network, ["peak", "decay", "b1"], metric="held_out_loss", steps=4)
    call = network.recipe.changed(tx=refined.optimizer, hyperparameters=refined.hyperparameters)
    again = call.run().metrics["held_out_loss"].mean()
    assert refined.best()["held_out_loss"] == pytest.approx(again, rel=1e-9)
    assert again < network.best("held_out_loss", rule="mean")["held_out_loss"]
    assert refined.disagreement[0, 0] < 1e-4


def test_where_training_is_chaotic_the_gradient_is_not_trusted():
    # w ← w + 2.4 sin 2w − 0.12 w wanders, and nearby runs part by a factor in each step.
    result = sweep(
        lambda w: jnp.cos(2 * w) + 0.05 * w**2 + 3, 0.3, sgd(Axis("learning_rate", [1.2])), steps=99
    )
    refined = refine(result)
    assert refined.status == ("chaotic: gradient not trusted",)
    assert refined.disagreement[0, 0] > 0.9
    assert refined.best()["learning_rate"] == 1.2
    assert refined.evaluations == 3


def test_a_hyperparameter_on_its_bound_stays_there_and_others_stay_within_theirs():
    result = sweep(quadratic([MU, L]), jnp.ones(2), heavy_ball(momenta=[0.0]), steps=5)
    refined = refine(result, bounds={"learning_rate": (None, 0.12)})
    rates, momenta = refined.paths[0].T
    assert np.all(momenta == 0)
    assert np.all(rates < 0.12)
    assert rates[-1] == pytest.approx(0.12, rel=1e-3)


def test_a_loss_that_becomes_negative_is_descended_all_the_same():
    result = sweep(lambda w: w**2 - 1, 2.0, sgd(Axis("learning_rate", [0.1])), steps=1)
    refined = refine(result)
    assert refined.best() == pytest.approx({"learning_rate": 0.5, "final_loss": -1.0}, rel=1e-6)


def test_a_metric_is_maximized():
    result = sweep(
        lambda w: 0.5 * w**2,
        2.0,
        sgd(Axis("learning_rate", [0.3, 0.5])),
        steps=1,
        evaluate=lambda w: {"score": 3 - (w - 0.4) ** 2},
    )
    refined = refine(result, metric="score")
    assert refined.best() == pytest.approx({"learning_rate": 0.8, "score": 3.0}, rel=1e-6)


def test_a_metric_without_a_slope_is_called_flat():
    result = sweep(
        quadratic([MU, L]),
        jnp.ones(2),
        sgd(Axis("learning_rate", [0.05, 0.1])),
        steps=3,
        evaluate=lambda w: {"accuracy": jnp.mean(w > 0)},
    )
    assert refine(result, metric="accuracy").status == ("flat",)


def test_the_table_says_from_where_to_where():
    start = jnp.array([1 / MU, 1 / L])
    result = sweep(quadratic([MU, L]), start, sgd(Axis("learning_rate", [0.1])), steps=3)
    refined = refine(result)
    assert repr(refined).splitlines()[0].split() == [
        "start", "learning_rate", "final_loss", "steps", "status",
    ]  # fmt: skip
    assert "0.1 → 0.181818" in repr(refined)
    table = refined.to_pandas()
    assert list(table) == ["start", "step", "learning_rate", "final_loss"]
    assert len(table) == len(refined.values[0])


@pytest.fixture(scope="module")
def several():
    with jax.enable_x64(True):
        rates = linear_schedule(Axis("rate", [0.1]), 0.0, 9)
        yield sweep(
            quadratic([1.0]), jnp.ones(1), {"plain": sgd(rates), "adam": adam(rates)}, steps=3
        )


@pytest.mark.parametrize(
    ("selected", "arguments", "words"),
    [
        ({}, {}, "select(optimizer='plain')"),
        ({"optimizer": "adam"}, {"over": ["b3"]}, "'b3' fits no hyperparameter"),
        ({"optimizer": "adam"}, {"over": ["learning_rate"]}, "learning_rate.end_value"),
        ({"optimizer": "adam"}, {"bounds": {"b1": (0, 1)}}, "'b1' is not refined"),
        ({"optimizer": "adam"}, {"bounds": {"rate": (0.5, 1)}}, "[0.1]"),
        ({"optimizer": "adam"}, {"objective": lambda tx: jnp.ones(2)}, "objective must return"),
        (
            {"optimizer": "adam"},
            {"starts": 0},
            "starts must be a whole number between 1 and 1000000, not 0",
        ),
    ],
)
def test_what_cannot_be_refined_is_refused(several, selected, arguments, words):
    result = several.select(**selected)
    with pytest.raises((ValueError, KeyError, TypeError)) as caught:
        refine(result, **arguments)
    assert words in str(caught.value)


def test_a_result_without_its_call_and_a_sweep_over_a_loader_are_refused(several, tmp_path):
    several.save(tmp_path / "result.nc")
    with pytest.raises(ValueError, match="refine: the loss is not known"):
        refine(SweepResult.load(tmp_path / "result.nc"))
    batches = [np.ones((4, 1))] * 4

    class Loader:
        def __iter__(self):
            return iter(batches)

    streamed = sweep(
        lambda w, x: jnp.mean((x @ w) ** 2),
        jnp.ones(1),
        sgd(Axis("learning_rate", [0.1])),
        Loader(),
        steps=2,
    )
    with pytest.raises(ValueError, match="a loader gives the batches"):
        refine(streamed)

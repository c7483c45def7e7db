"""Sweeps whose points a Gaussian process chooses, as sweeps in rounds."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, GaussianProcess, SuccessiveHalving, adam, optimize_study, sgd, sweep
from gdlab.sweeps.proposals.proposer import Measured, standardized
from gdlab.sweeps.proposals.space import Space
from tests.sweeps.counting import count_compilations, executed

RATE = Axis.log_uniform("learning_rate", 1e-4, 10.0)
CURVATURES = np.array([1.0, 3.0, 10.0], np.float32)


def loss(w):
    return 0.5 * jnp.sum(CURVATURES * w**2)


def tuned(policy=None, samples=24, tx=None, **arguments):
    tx = sgd(RATE, momentum=Axis.uniform("momentum", 0.0, 0.95)) if tx is None else tx
    return sweep(
        loss,
        jnp.ones(3),
        tx,
        steps=20,
        samples=samples,
        policy=GaussianProcess(batch=4) if policy is None else policy,
        progress=False,
        **arguments,
    )


@pytest.fixture(scope="module")
def chosen():
    return tuned()


def test_chosen_points_are_better_than_evenly_spread_ones(chosen):
    spread = sweep(
        loss,
        jnp.ones(3),
        sgd(RATE, momentum=Axis.uniform("momentum", 0.0, 0.95)),
        steps=20,
        samples=24,
        progress=False,
    )
    assert chosen.best()["final_loss"] < 0.01 * spread.best()["final_loss"]
    # Two thirds of the even points are steps that are too small or diverge.
    assert np.nanmedian(chosen.final_loss[8:]) < np.nanmedian(spread.final_loss[8:])


def test_the_result_is_that_of_one_sweep_over_its_points(chosen):
    assert chosen.dims == ("sample", "seed")
    assert chosen.axes == {"learning_rate": "sample", "momentum": "sample"}
    np.testing.assert_array_equal(chosen.coords["sample"], np.arange(24))
    assert chosen.settings["policy"].startswith("GaussianProcess(batch=4")
    rates, momenta = (chosen.coords[name] for name in ("learning_rate", "momentum"))
    tx = sgd(
        Axis("learning_rate", rates, along="sample"),
        momentum=Axis("momentum", momenta, along="sample"),
    )
    again = sweep(loss, jnp.ones(3), tx, steps=20, progress=False)
    np.testing.assert_allclose(again.final_loss, chosen.final_loss, rtol=1e-5)
    one = chosen.rerun(chosen.best())
    np.testing.assert_allclose(one.final_loss.min(), chosen.best()["final_loss"], rtol=1e-5)


def test_only_the_first_two_rounds_compile():
    counts = [
        count_compilations(lambda samples=samples: tuned(samples=samples)) for samples in (16, 16)
    ]
    assert counts[1] == 0
    # The last round, which is short, is padded.
    assert tuned(samples=14).status.shape == (14, 1)


def test_a_checkpoint_goes_on_where_it_was(tmp_path, monkeypatch):
    first = tuned(samples=12, checkpoint=tmp_path / "all")
    with executed(monkeypatch) as steps:
        again = tuned(samples=12, checkpoint=tmp_path / "all")
    # One step of each round is traced, to tell that it is the same program.
    assert steps.lane_steps == 12
    np.testing.assert_array_equal(again.loss, first.loss)


@pytest.mark.slow
def test_of_a_list_of_values_one_is_chosen():
    tx = sgd(Axis("learning_rate", [1e-4, 1e-3, 0.01, 0.15, 1.0]), Axis("momentum", [0.0, 0.5]))
    result = tuned(tx=tx, samples=12)
    assert set(result.coords["momentum"]) <= {0.0, 0.5}
    assert result.best()["learning_rate"] == 0.15


@pytest.mark.slow
def test_halving_drops_points_within_a_batch_and_they_count_as_the_worst():
    policy = GaussianProcess(batch=4, policy=SuccessiveHalving(factor=2, rungs=[10]))
    result = tuned(policy=policy, samples=12)
    assert np.sum(result.status == "ok") == 6
    assert "pruned" in result.status
    assert np.isfinite(result.best()["final_loss"])


@pytest.mark.slow
def test_a_metric_is_maximized_on_the_largest_of_its_values():
    result = sweep(
        lambda w: 0.5 * w**2,
        1.0,
        sgd(RATE, momentum=Axis.uniform("momentum", 0.0, 0.95)),
        steps=1,
        samples=24,
        # After one step w = 1 − η.
        evaluate=lambda w: {"score": 2 - (w - 0.25) ** 2},
        policy=GaussianProcess(batch=4, metric="score"),
        progress=False,
    )
    assert result.best("score")["learning_rate"] == pytest.approx(0.75, abs=0.05)


def test_what_was_measured_is_in_the_exception_that_ends_a_round():
    calls = []

    class Fails(GaussianProcess):
        def propose(self, measured, count):
            calls.append(len(measured.scores))
            if len(measured.scores) == 8:
                raise RuntimeError("no more")
            return super().propose(measured, count)

    with pytest.raises(RuntimeError, match="no more") as caught:
        tuned(policy=Fails(batch=4))
    assert calls == [0, 4, 8]
    assert caught.value.result.status.shape == (8, 1)


def test_a_proposer_of_ones_own_will_do():
    class Down:
        batch, metric, maximize, policy = 2, "final_loss", None, None

        def propose(self, measured: Measured, count):
            best = np.argmin(measured.scores) if len(measured.scores) else None
            middle = 0.2 if best is None else measured.points["learning_rate"][best]
            return {"learning_rate": middle * np.array([0.5, 0.25])}

    result = tuned(policy=Down(), tx=sgd(RATE), samples=6)
    rates, losses = result.coords["learning_rate"], result.final_loss[:, 0]
    for seen in (2, 4):
        best = rates[np.nanargmin(losses[:seen])]
        np.testing.assert_allclose(rates[seen : seen + 2], [best / 2, best / 4], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"samples": None}, "say how many points"),
        ({"tx": {"a": sgd(RATE), "b": adam(RATE)}}, "tx is a dictionary of ['a', 'b']"),
        ({"tx": sgd(0.1)}, "there is nothing to choose"),
        (
            {"tx": sgd(Axis("a", [1.0, 2.0], along="x"), Axis("b", [0.1, 0.2], along="x"))},
            "axis 'a' lies along 'x'",
        ),
        ({"batch_size": Axis("batch_size", [2, 4])}, "batch_size changes shapes"),
        ({"policy": GaussianProcess(metric="other_loss")}, "no metric 'other_loss'"),
    ],
)
def test_what_cannot_be_chosen_is_refused(arguments, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        tuned(**arguments)


def test_a_study_and_a_gaussian_process_do_not_both_choose():
    optuna = pytest.importorskip("optuna", reason="the study is Optuna's")
    with pytest.raises(ValueError, match="chooses the points, and so does the study"):
        optimize_study(
            optuna.create_study(), loss, jnp.ones(3), sgd(RATE), trials=4, batch=2, steps=2,
            policy=GaussianProcess(),
        )  # fmt: skip


def test_points_go_into_the_cube_and_back():
    space = Space.of((RATE, Axis.uniform("b", -1.0, 3.0), Axis("n", [1, 8, 64]), Axis("c", [5])))
    points = {
        "learning_rate": np.array([1e-4, 0.1, 10.0]),
        "b": np.array([-1.0, 1.0, 3.0]),
        "n": np.array([1.0, 8.0, 64.0]),
        "c": np.full(3, 5.0),
    }
    quantiles = space.quantiles(points)
    np.testing.assert_allclose(quantiles[:, 0], [0, 0.6, 1], atol=1e-7)
    np.testing.assert_allclose(quantiles[:, 1:3], [[0, 0], [0.5, 0.5], [1, 1]], atol=1e-7)
    for name, values in space.points(quantiles).items():
        np.testing.assert_allclose(values, points[name], rtol=1e-6)
    assert space.levels.shape == (4, 3)


@pytest.mark.parametrize(
    ("listed", "place"),
    [
        ([1e-3, 0.03, 1e-2], np.log(10) / np.log(30)),
        ([2.0, 20.0, 6.5], np.log10(3.25)),
        ([2e-3, 1e-2, 4e-3], 0.25),
        ([20.0, 100.0, 40.0], 0.25),
        ([0.0, 100.0, 1.0], 0.01),
    ],
)
def test_listed_values_stand_by_their_logarithms_where_they_span_a_decade(listed, place):
    """However large they are; the last of them lies between the lowest and the highest."""
    space = Space.of(Axis("x", listed))
    quantiles = space.quantiles({"x": np.array(listed)})[:, 0]
    np.testing.assert_allclose(quantiles, [0, 1, place], atol=1e-6)


def test_scores_are_compared_by_their_logarithms_and_the_dead_are_the_worst():
    found = standardized(np.array([1e-6, np.inf, 1.0, 1e-3]))
    np.testing.assert_allclose(found, (np.array([-6, 0, 0, -3]) + 2.25) / np.std([6, 0, 0, 3]))
    np.testing.assert_array_equal(standardized(np.full(3, np.inf)), np.zeros(3))
    assert np.argmin(standardized(np.array([-2.0, -5.0, 1.0]))) == 1
    assert np.argmin(standardized(np.array([1e-9, 0.0, 1.0]))) == 1

"""Metrics on the way: their values, the lanes that stop by them, and runs counted in epochs."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import (
    Axis,
    Checkpointing,
    Patience,
    Resources,
    Stopping,
    SuccessiveHalving,
    SweepResult,
    sgd,
    sweep,
)
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint

RATES = np.array([0.1, 0.5, 2.5])


def bowl(w):
    return 0.5 * w**2


def distance(w):
    return jnp.abs(w)


def rolled(**arguments):
    """Gradient descent, w ← (1 − η) w from 1, whose distance to the minimum is evaluated."""
    tx = sgd(Axis("rate", RATES))
    arguments = {"steps": 7, "evaluate": distance, "evaluate_every": 3} | arguments
    return sweep(bowl, 1.0, tx, progress=False, **arguments)


def distances(steps, rates=RATES):
    return np.abs(1 - rates[:, None]) ** np.asarray(steps)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"seeds": 2, "resources": Resources(lane_chunk=2)},
        {"resources": Resources(mesh=jax.make_mesh((2,), ("lanes",), devices=jax.devices()[:2]))},
    ],
    ids=["at once", "in chunks", "on devices"],
)
def test_metrics_on_the_way_are_those_of_the_parameters_there(arguments):
    result = rolled(**arguments)
    np.testing.assert_array_equal(result.coords["evaluation_step"], [0, 3, 6, 7])
    expected = distances([0, 3, 6, 7])
    np.testing.assert_allclose(result.curves["distance"][:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(result.metrics["distance"][:, 0], expected[:, -1], rtol=1e-5)


def test_metrics_of_a_lane_are_nan_from_its_divergence_on():
    result = rolled(stopping=Stopping(divergence_factor=10.0), steps=9)
    # The loss of the largest rate, 0.5 · 2.25ᵗ, exceeds ten times its first value at step 3.
    assert result.diverged_at[:, 0].tolist() == [-1, -1, 3]
    np.testing.assert_array_equal(
        np.isnan(result.curves["distance"][2, 0]), [False, True, True, True]
    )


def drifting(patience, rate=0.1, steps=30, **arguments):
    """A loss whose slope is 1, so that w = −ηt, evaluated by (w + 1)², least at t = 1/η."""
    evaluate = lambda w: {"error": (w + 1) ** 2, "score": -((w + 1) ** 2)}  # noqa: E731
    return sweep(
        lambda w: w, 0.0, sgd(Axis("rate", np.atleast_1d(rate))), steps=steps, progress=False,
        evaluate=evaluate, evaluate_every=2, stopping=Stopping(patience=patience), **arguments,
    )  # fmt: skip


@pytest.mark.parametrize("metric", ["error", "score"])
def test_lanes_stop_after_so_many_evaluations_without_an_improvement(metric):
    result = drifting(Patience(metric, 3), [0.1, 0.05, 0.01])
    # The best evaluations are those of the steps 10 and 20, and three more follow.
    assert result.stopped_at[:, 0].tolist() == [16, 26, -1]
    assert result.status[:, 0].tolist() == ["converged", "converged", "ok"]
    steps = np.minimum(result.coords["evaluation_step"], [[16], [26], [30]])
    expected = (1 - np.array([[0.1], [0.05], [0.01]]) * steps) ** 2
    np.testing.assert_allclose(result.curves["error"][:, 0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result.metrics["error"][:, 0], expected[:, -1], rtol=1e-4)
    np.testing.assert_allclose(result.final_loss[:, 0], [-1.6, -1.3, -0.3], rtol=1e-5)


def test_an_improvement_that_is_too_small_is_none():
    # The error falls by at most 0.4 · 0.9 = 0.36 from one evaluation to the next.
    assert drifting(Patience("error", 1, least=0.37)).stopped_at[0, 0] == 2
    assert drifting(Patience("error", 1, least=0.35)).stopped_at[0, 0] == 4


def test_a_sweep_that_was_broken_off_goes_on_with_its_patience(tmp_path, monkeypatch):
    rates, patience = [0.1, 0.05, 0.01], Patience("error", 3)
    expected = drifting(patience, rates)
    save, saved = FailsafeCheckpoint.save, []

    def broken_off(self, name, tree):
        save(self, name, tree)
        saved.append(name)
        if len(saved) == 3:
            raise InterruptedError

    checkpoint = Checkpointing(tmp_path, seconds_between_saves=0)
    with monkeypatch.context() as patch:
        patch.setattr(FailsafeCheckpoint, "save", broken_off)
        with pytest.raises(InterruptedError):
            drifting(patience, rates, checkpoint=checkpoint)
    result = drifting(patience, rates, checkpoint=checkpoint)
    np.testing.assert_array_equal(result.curves["error"], expected.curves["error"])
    np.testing.assert_array_equal(result.stopped_at, expected.stopped_at)


def test_survivors_of_halving_have_their_whole_curves():
    result = rolled(policy=SuccessiveHalving(factor=3, rungs=[4]))
    expected = distances([0, 3, 6, 7])
    np.testing.assert_allclose(result.curves["distance"][1, 0], expected[1], rtol=1e-5)
    np.testing.assert_array_equal(
        np.isnan(result.curves["distance"][0, 0]), [False, False, True, True]
    )


def test_runs_of_several_lengths_have_their_evaluations_beside_each_other():
    result = rolled(steps=Axis("steps", [3, 7]))
    np.testing.assert_array_equal(result.coords["evaluation_step"], [0, 3, 6, 7])
    np.testing.assert_allclose(
        result.curves["distance"][:, 0, 0],
        [distances([0, 3, 3, 3])[0], distances([0, 3, 6, 7])[0]],
        rtol=1e-5,
    )


def test_an_epoch_is_a_pass_over_the_data():
    data = np.ones(10, np.float32)
    result = sweep(
        lambda w, batch: 0.5 * jnp.mean(batch) * w**2, 1.0, sgd(0.5), data, epochs=2,
        batch_size=4, evaluate=distance, evaluate_every="epoch", progress=False,
    )  # fmt: skip
    # Two batches of four and one of two are an epoch.
    np.testing.assert_array_equal(result.coords["evaluation_step"], [0, 3, 6])
    np.testing.assert_allclose(result.curves["distance"][0], 0.5 ** np.array([0, 3, 6]))


def test_curves_are_selected_saved_and_labelled(tmp_path):
    result = rolled()
    assert result.select(rate=0.5).curves["distance"].shape == (1, 4)
    assert result.to_xarray()["curve_distance"].dims == ("rate", "seed", "evaluation_step")
    result.save(tmp_path / "result.nc")
    read = SweepResult.load(tmp_path / "result.nc")
    np.testing.assert_array_equal(read.curves["distance"], result.curves["distance"])
    more = result.extend("rate", [0.25])
    np.testing.assert_allclose(
        more.curves["distance"][1, 0], distances([0, 3, 6, 7], np.array([0.25]))[0], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": None}, "by steps or by epochs: neither is given"),
        ({"epochs": 2}, "by steps or by epochs: both are given"),
        ({"steps": None, "epochs": 2}, "epochs=2: an epoch is a pass over data that are arrays"),
        ({"evaluate_every": "epoch"}, "evaluate_every='epoch': an epoch is"),
        ({"evaluate_every": 0}, "evaluate_every must be positive"),
        ({"evaluate": None}, "evaluate_every=3 is given, but no evaluate"),
        (
            {"evaluate_every": None, "stopping": Stopping(patience=Patience("distance"))},
            "looks at evaluations on the way",
        ),
        ({"stopping": Stopping(patience=Patience("error"))}, "patience: there is no 'error'"),
    ],
)
def test_impossible_evaluations(arguments, message):
    with pytest.raises(ValueError, match=message):
        rolled(**arguments)


def test_curves_are_drawn_as_far_as_lanes_went():
    result = drifting(Patience("error", 3), [0.1, 0.05])
    ax = result.plot_curves("error", {"rate": 0.1})
    training, validation = ax.get_lines()[:2]
    np.testing.assert_array_equal(training.get_xdata(), range(17))
    np.testing.assert_array_equal(validation.get_xdata(), range(0, 17, 2))
    np.testing.assert_allclose(
        validation.get_ydata(), (1 - 0.1 * np.arange(0, 17, 2)) ** 2, atol=1e-6
    )
    plt.close(ax.figure)
    with pytest.raises(ValueError, match=r"no metric 'cost' on the way; there are \['error'"):
        result.plot_curves("cost")
    with pytest.raises(ValueError, match=r"several points are left \(rate\)"):
        result.plot_curves("error", {})
    plain = sweep(bowl, 1.0, sgd(0.5), steps=2, progress=False)
    with pytest.raises(ValueError, match="sweep with evaluate_every"):
        plain.plot_curves()

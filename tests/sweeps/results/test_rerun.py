"""A point of a result run again, and a result with more values of an axis, against new sweeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, SuccessiveHalving, SweepResult, adam, linear_schedule, sgd, sweep
from tests.sweeps.counting import executed

STEPS = 8
RATES, MOMENTA = [0.05, 0.1, 0.2, 0.3], [0.0, 0.5, 0.9]


def valley(w):
    return 0.5 * (w[0] ** 2 + 3 * w[1] ** 2)


def ridge(w):
    return jnp.sum((w - 1) ** 2)


def init(key):
    return jax.random.normal(key, (2,))


def grid(rates=RATES, momenta=MOMENTA, **arguments):
    tx = sgd(Axis("rate", rates), Axis("momentum", momenta))
    return sweep(valley, init, tx, steps=STEPS, **{"seeds": 2, "evaluate": size} | arguments)


def size(w):
    return {"size": jnp.sum(w**2)}


@pytest.fixture(scope="module")
def result():
    return grid()


@pytest.fixture(scope="module")
def several():
    rates = Axis("rate", RATES)
    # The names are not in the order of the alphabet.
    optimizers = {"plain": sgd(rates), "fancy": adam(rates)}
    starts = {"valley": jnp.ones(2), "ridge": jnp.zeros(2)}
    return sweep({"valley": valley, "ridge": ridge}, starts, optimizers, steps=STEPS)


@pytest.fixture(scope="module")
def sampled():
    tx = sgd(Axis.uniform("rate", 0.01, 0.5), Axis.uniform("momentum", 0.0, 0.9))
    return sweep(valley, init, tx, steps=STEPS, samples=6)


def test_a_point_is_run_again_as_it_was(result):
    again = result.rerun({"rate": 0.2, "momentum": 0.5})
    assert again.dims == ("rate", "momentum", "seed")
    np.testing.assert_allclose(again.loss, result.loss[2:3, 1:2], rtol=1e-5)


def test_the_best_point_is_run_again_with_its_parameters(result):
    best = result.best("size", maximize=False)
    again = result.rerun(best, keep_params="all", steps=STEPS)
    assert best.keys() == {"rate", "momentum", "size"}
    np.testing.assert_allclose(
        np.median(np.sum(np.asarray(again.params) ** 2, axis=-1)), best["size"], rtol=1e-5
    )


def test_what_is_not_given_stays_as_it_was(result):
    again = result.rerun({"momentum": 0.9, "seed": 1})
    assert again.loss.shape == (4, 1, 1, STEPS + 1)
    np.testing.assert_allclose(again.loss[:, 0, 0], result.loss[:, 2, 1], rtol=1e-5)
    np.testing.assert_array_equal(again.coords["seed"], [1])


def test_other_arguments_can_be_changed(result):
    longer = result.rerun({"rate": 0.05}, steps=2 * STEPS, seeds=[1])
    assert longer.loss.shape == (1, 3, 1, 2 * STEPS + 1)
    np.testing.assert_allclose(longer.loss[0, :, 0, : STEPS + 1], result.loss[0, :, 1], rtol=1e-5)


def test_an_optimizer_on_a_problem_is_run_again(several):
    again = several.rerun({"problem": "ridge", "optimizer": "fancy", "rate": 0.1})
    assert again.dims == ("problem", "optimizer", "rate", "seed")
    assert again.coords["optimizer"].tolist() == ["fancy"]
    np.testing.assert_allclose(again.loss, several.loss[1:, 1:, 1:2], rtol=1e-5)


def test_the_best_of_several_optimizers_on_several_problems_is_run_again(several):
    best = several.best()
    again = several.rerun(best)
    np.testing.assert_allclose(again.final_loss.ravel(), best["final_loss"], rtol=1e-5)


def test_one_of_several_results_that_differ_in_their_axes_is_run_again():
    optimizers = {"one": sgd(Axis("a", [0.1, 0.2])), "other": adam(Axis("b", [0.1]))}
    results = sweep(valley, jnp.ones(2), optimizers, steps=3)
    again = results["one"].rerun({"a": 0.2})
    np.testing.assert_allclose(again.loss, results["one"].loss[1:], rtol=1e-5)


def test_of_samples_the_one_is_run_again_that_has_the_value(sampled):
    """One of its numbers tells a sample from the others."""
    rate, momentum = (sampled.coords[name] for name in ("rate", "momentum"))
    for point in ({"rate": rate[4]}, {"momentum": float(momentum[4])}, {"sample": 4}):
        again = sampled.rerun(point)
        assert again.loss.shape == (1, 1, STEPS + 1)
        np.testing.assert_allclose(again.coords["rate"], rate[4:5])
        np.testing.assert_allclose(again.coords["momentum"], momentum[4:5])
        np.testing.assert_allclose(again.loss, sampled.loss[4:5], rtol=1e-5)


def test_of_paired_values_the_pair_is_run_again():
    tx = sgd(Axis("rate", [0.1, 0.2, 0.3]), Axis("momentum", [0.9, 0.5, 0.9], along="rate"))
    pairs = sweep(valley, init, tx, steps=STEPS)
    again = pairs.rerun({"momentum": 0.9})
    np.testing.assert_allclose(again.coords["rate"], [0.1, 0.3])
    np.testing.assert_allclose(again.loss, pairs.loss[[0, 2]], rtol=1e-5)


def test_an_axis_in_the_start_or_the_loss_is_run_again():
    loss = lambda w, shift: jnp.sum((w["w"] - shift) ** 2)  # noqa: E731
    result = sweep(
        loss, {"w": Axis("w", [1.0, 2.0])}, sgd(0.1), steps=3,
        hyperparameters={"shift": Axis("shift", [0.0, 4.0])},
    )  # fmt: skip
    again = result.rerun({"w": 2.0, "shift": 4.0})
    np.testing.assert_allclose(again.loss, result.loss[1:, 1:], rtol=1e-5)


def test_a_survivor_of_halving_is_run_again_and_survives():
    result = grid(policy=SuccessiveHalving(factor=3, rungs=[4]))
    again = result.rerun(result.best())
    assert set(again.status.ravel()) == {"ok"}
    assert again.history == {}
    np.testing.assert_allclose(np.median(again.final_loss), result.best()["final_loss"], rtol=1e-5)


def test_a_part_of_a_result_is_run_again_as_that_part(result):
    part = result.select(momentum=[0.9, 0.0], rate=slice(0.1, 0.2))
    again = part.rerun({})
    np.testing.assert_allclose(again.coords["momentum"], [0.9, 0.0], rtol=1e-6)
    np.testing.assert_allclose(again.loss, part.loss, rtol=1e-5)


def test_a_rerun_does_not_touch_the_checkpoint_of_its_sweep(tmp_path):
    first = grid(rates=RATES[:2], momenta=[0.5], checkpoint=tmp_path / "sweep")
    kept = sorted(tmp_path.rglob("*"))
    again = first.rerun({"rate": 0.1})
    assert sorted(tmp_path.rglob("*")) == kept
    np.testing.assert_allclose(again.loss, first.loss[1:], rtol=1e-5)


def test_more_values_run_only_what_is_missing(result, monkeypatch):
    values = [0.3, 0.15, 0.05, 0.4, 0.15]
    with executed(monkeypatch) as noted:
        more = result.extend("rate", values)
    assert noted.lane_steps == 2 * len(MOMENTA) * 2 * (STEPS + 1)
    union = grid(rates=[0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
    assert more.dims == union.dims
    for name, labels in union.coords.items():
        np.testing.assert_allclose(more.coords[name], labels, rtol=1e-6)
    np.testing.assert_allclose(more.loss, union.loss, rtol=1e-5)
    np.testing.assert_array_equal(more.status, union.status)
    np.testing.assert_array_equal(more.evaluations, union.evaluations)
    np.testing.assert_allclose(more.metrics["size"], union.metrics["size"], rtol=1e-4)


def test_an_extended_result_can_be_run_again_and_extended_again(result, monkeypatch):
    more = result.extend("momentum", [0.7])
    again = more.rerun({"momentum": 0.7, "rate": 0.2})
    np.testing.assert_allclose(again.loss, more.loss[2:3, 2:3], rtol=1e-5)
    with executed(monkeypatch) as noted:
        most = more.extend("rate", [0.15])
    assert noted.lane_steps == 4 * 2 * (STEPS + 1)
    assert set(most.status.ravel()) == {"ok"}
    assert most.loss.shape == (5, 4, 2, STEPS + 1)


def test_known_values_run_nothing(result, monkeypatch):
    with executed(monkeypatch) as noted:
        assert result.extend("rate", [np.float32(0.2), 0.05]) is result
    assert not noted.calls


def test_tiny_values_are_told_apart():
    tiny = sweep(valley, jnp.ones(2), sgd(Axis("rate", [1e-9, 1.0])), steps=1)
    more = tiny.extend("rate", [2e-9])
    np.testing.assert_allclose(more.coords["rate"], [1e-9, 2e-9, 1.0])


def test_several_optimizers_are_extended_together(several):
    more = several.extend("rate", [0.15])
    assert more.coords["optimizer"].tolist() == ["plain", "fancy"]
    assert more.coords["problem"].tolist() == ["valley", "ridge"]
    # sgd on the ridge from zero: (1 − 2η)²ᵗ of the first loss, 2.
    np.testing.assert_allclose(
        more.final_loss[1, 0, 2, 0], 2 * (1 - 2 * 0.15) ** (2 * STEPS), rtol=1e-4
    )
    np.testing.assert_array_equal(more.loss[:, :, [0, 1, 3, 4]], several.loss)


def test_a_part_of_a_result_is_extended_as_that_part(result, monkeypatch):
    part = result.select(momentum=0.5, seed=1)
    with executed(monkeypatch) as noted:
        more = part.extend("rate", [0.15])
    assert noted.lane_steps == STEPS + 1
    assert more.dims == ("rate", "seed")
    whole = grid(rates=[0.15])
    np.testing.assert_allclose(more.loss[2], whole.loss[0, 1, 1:], rtol=1e-5)


@pytest.mark.parametrize("axis", ["sample", "decay", "seed"])
def test_what_is_no_axis_cannot_be_extended(result, axis):
    message = f"extend: '{axis}' is not an axis .* by itself; there are .'rate', 'momentum'."
    with pytest.raises(ValueError, match=message):
        result.extend(axis, [0.1])


def test_paired_and_sampled_axes_cannot_be_extended_alone(sampled):
    pairs = sweep(
        valley, init, sgd(Axis("rate", [0.1]), Axis("momentum", [0.9], along="rate")), steps=1
    )
    for result in (pairs, sampled):
        with pytest.raises(ValueError, match="extend: 'rate' is not an axis"):
            result.extend("rate", [0.3])


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"rates": 0.1}, "no dimension or axis 'rates'; there are rate, momentum"),
        ({"rate": 0.123}, "there is no rate 0.123; there are 0.05, 0.1"),
        ({"optimizer": "adam"}, "no dimension or axis 'optimizer'"),
        ({"seed": 7}, "there is no seed 7; there are 0, 1"),
    ],
)
def test_a_point_that_is_not_there_is_refused(result, point, message):
    with pytest.raises(ValueError, match=message):
        result.rerun(point)


def test_what_was_loaded_or_merged_says_that_the_loss_is_not_known(result, tmp_path):
    result.save(tmp_path / "result.nc")
    loaded = SweepResult.load(tmp_path / "result.nc")
    merged = result.merge(grid(rates=[0.4]))
    for one in (loaded, merged, loaded.select(rate=0.1)):
        with pytest.raises(ValueError, match=r"rerun: the loss is not known .* call sweep"):
            one.rerun({"momentum": 0.5})
        with pytest.raises(ValueError, match=r"extend: the loss is not known .* call sweep"):
            one.extend("momentum", [0.3])


def test_the_optimizer_at_a_point_has_its_values_wherever_the_axes_stood():
    peak = Axis("peak", RATES)
    schedule = linear_schedule(peak, 0.0, 10)
    result = sweep(
        valley, init, {"plain": sgd(peak), "falling": adam(schedule, b1=peak)}, steps=STEPS
    )
    assert repr(result.optimizer_at({"optimizer": "plain", "peak": 0.2})) == repr(sgd(0.2))
    assert repr(result.optimizer_at({"optimizer": "falling", "peak": 0.3})) == repr(
        adam(linear_schedule(0.3, 0.0, 10), b1=0.3)
    )
    with pytest.raises(ValueError, match="say which optimizer, one of plain, falling"):
        result.optimizer_at({"peak": 0.2})
    with pytest.raises(ValueError, match="no value for the axis 'peak'"):
        result.optimizer_at({"optimizer": "plain"})


def test_the_optimizer_of_a_result_that_was_loaded_is_known_as_text_alone(result, tmp_path):
    result.save(tmp_path / "sweep.nc")
    with pytest.raises(ValueError, match=r"known as text alone: sgd\(Axis"):
        SweepResult.load(tmp_path / "sweep.nc").optimizer_at(result.best())

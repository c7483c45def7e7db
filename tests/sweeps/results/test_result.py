"""What ``SweepResult`` says of results whose outcome is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, SweepResult, sgd, sweep
from tests.sweeps.made import made, on_rates, sampled

NAN = np.nan
RATES = [0.25, 0.5, 3.0, 0.125]


@pytest.fixture(scope="module")
def result():
    """½w² from 1: each rate η leaves (1 − η)² of the loss a step."""
    return sweep(
        lambda w: 0.5 * jnp.sum(w**2),
        lambda key: jnp.ones(1),
        sgd(Axis("learning_rate", RATES)),
        steps=20,
        seeds=[4, 7],
        record_every=10,
        evaluate=lambda w: {"distance": jnp.abs(w[0]), "nearness": -jnp.abs(w[0])},
    )


def test_xarray_has_the_dimensions_and_coordinates_of_the_sweep(result):
    dataset = result.to_xarray()
    assert dataset["loss"].dims == ("learning_rate", "seed", "step")
    np.testing.assert_allclose(dataset["learning_rate"], RATES, rtol=1e-6)
    np.testing.assert_array_equal(dataset["seed"], [4, 7])
    at_half = dataset["final_loss"].sortby("learning_rate").sel(learning_rate=0.5, seed=7)
    np.testing.assert_allclose(at_half, 0.5 * 0.5 ** (2 * 20), rtol=1e-5)
    assert "sgd(Axis(" in dataset.attrs["optimizers"]


def test_in_xarray_a_metric_does_not_hide_what_has_its_name():
    final = [[1.0, 2.0]]
    twice = on_rates(final, [0.1], metrics={"loss": np.array([[7.0, 8.0]])})
    dataset = twice.to_xarray()
    np.testing.assert_array_equal(dataset["loss"][..., -1], final)
    np.testing.assert_array_equal(dataset["metric_loss"], [[7.0, 8.0]])


def test_in_xarray_sampled_axes_are_coordinates_of_the_samples():
    dataset = sampled([[1.0], [2.0], [3.0]], [0.1, 0.2, 0.3], [0.9, 0.8, 0.7]).to_xarray()
    assert dataset["b1"].dims == ("sample",)
    assert dataset["final_loss"].where(dataset["b1"] == 0.8, drop=True).item() == 2.0


def test_pandas_has_a_row_for_each_lane(result):
    frame = result.to_pandas()
    assert len(frame) == len(RATES) * 2
    row = frame[(frame.learning_rate == 3.0) & (frame.seed == 4)].iloc[0]
    assert row.status == "diverged"
    assert np.isnan(row.final_loss)
    # The start, and then the loss that was too large, stop the lane: ½(−2)^{2t} > 10⁴ · ½.
    assert row.stopped_at == 7
    assert row.evaluations == 8


def test_pandas_has_a_column_for_each_sampled_axis():
    frame = sampled([[1.0, 2.0], [3.0, 4.0]], [0.1, 0.2], [0.9, 0.8]).to_pandas()
    assert list(frame.final_loss) == [1.0, 2.0, 3.0, 4.0]
    assert list(frame.b1) == [0.9, 0.9, 0.8, 0.8]
    assert list(frame["sample"]) == [0, 0, 1, 1]
    assert list(frame.seed) == [0, 1, 0, 1]


def test_the_best_point_has_the_smallest_median_or_the_largest_if_asked(result):
    assert result.best()["learning_rate"] == 0.5
    assert result.best("distance")["learning_rate"] == 0.5
    assert result.best("nearness", maximize=True)["learning_rate"] == 0.5
    assert result.best("nearness", maximize=False)["learning_rate"] == 0.125
    assert type(result.best()["final_loss"]) is float


@pytest.mark.parametrize(
    ("metric", "best"),
    [("accuracy", 0.2), ("held_out_loss", 0.1), ("accuracy_error", 0.1), ("log_likelihood", 0.2)],
)
def test_the_name_of_a_metric_tells_its_direction(metric, best):
    result = on_rates([[1.0], [1.0]], [0.1, 0.2], metrics={metric: np.array([[0.3], [0.4]])})
    assert result.best(metric)["learning_rate"] == best
    assert result.best(metric, maximize=True)["learning_rate"] == 0.2


def test_a_direction_that_nothing_tells_is_asked_for():
    result = on_rates([[1.0], [1.0]], [0.1, 0.2], metrics={"quality": np.array([[0.3], [0.4]])})
    for ask in (result.best, result.best_index, result.plot, lambda m: result.basin(metric=m)):
        with pytest.raises(ValueError, match="'quality' does not tell"):
            ask("quality")


def test_labels_are_the_numbers_that_were_written():
    tx = sgd(Axis("learning_rate", [0.1, 1e-3]), momentum=Axis("beta", [0, 1]))
    weights = {"width": Axis("width", np.array([64, 128])), "n": Axis("n", [64.0, 0.5])}
    loss = lambda w, width, n: w**2 + width * n  # noqa: E731
    result = sweep(loss, 1.0, tx, steps=1, hyperparameters=weights, progress=False)
    labels = {name: values.tolist() for name, values in result.coords.items() if name != "step"}
    assert repr(labels["learning_rate"]) == "[0.1, 0.001]"
    assert repr(labels["width"]) == "[64, 128]"
    assert repr(labels["n"]) == "[64.0, 0.5]"
    assert repr(result.best() | {"final_loss": 0}) == repr(
        {"learning_rate": 0.1, "beta": 0, "n": 0.5, "width": 64, "final_loss": 0}
    )
    assert list(result.to_pandas()["learning_rate"].unique()) == [0.1, 0.001]


def test_an_axis_of_integers_is_rebuilt_by_its_repr():
    axis = Axis("width", [64, 128])
    assert repr(axis) == "Axis('width', array([64, 128], 'int64'))"
    again = eval(repr(axis), {"Axis": Axis, "array": np.array})
    assert again.labels.tolist() == [64, 128]
    assert again.values.dtype == axis.values.dtype


def test_lanes_that_were_broken_off_are_judged_by_their_last_loss():
    status = [["unfinished"], ["unfinished"], ["unfinished"], ["pruned"], ["diverged"]]
    result = on_rates(np.full((5, 1), NAN), [0.1, 0.2, 0.3, 0.4, 0.5], status=status)
    result.loss[:, 0] = [[9, 5, NAN], [9, 4, NAN], [NAN] * 3, [9, 1, NAN], [9, NAN, NAN]]
    np.testing.assert_array_equal(result.values("final_loss")[:, 0], [5, 4, NAN, NAN, NAN])
    assert result.best() == {"learning_rate": 0.2, "loss_so_far": 4.0}
    assert "loss_so_far = 4" in result._repr_html_()
    assert np.isnan(result.final_loss).all()


def test_each_rule_has_its_own_best_point():
    # Rows: a steady point, one with a good median, one with a good mean, one with a lucky seed.
    final = [[4, 4, 4], [2, 2, 9], [3, 3.1, 3.2], [0, 8, 8]]
    result = on_rates(final, [0.1, 0.2, 0.3, 0.4])
    found = {
        rule: result.best(rule=rule)["learning_rate"] for rule in ("median", "mean", "min", "max")
    }
    expected = {"median": 0.2, "mean": 0.3, "min": 0.4, "max": 0.3}
    assert found == pytest.approx(expected)
    assert result.best(rule="mean")["final_loss"] == pytest.approx(3.1)


@pytest.mark.parametrize(("rule", "best"), [("median", 0.1), ("mean", 0.3), ("max", 0.3)])
def test_a_seed_that_diverged_counts_as_the_worst(rule, best):
    final = [[1, 1, NAN], [0, NAN, NAN], [5, 5, 5]]
    result = on_rates(final, [0.1, 0.2, 0.3])
    assert result.best(rule=rule)["learning_rate"] == pytest.approx(best)
    assert result.best(rule="min")["learning_rate"] == pytest.approx(0.2)


def test_a_lane_that_was_not_run_does_not_count():
    status = [["ok", "not run", "not run"], ["ok", "ok", "ok"]]
    result = on_rates([[1, NAN, NAN], [2, 2, 2]], [0.1, 0.2], status=status)
    assert result.best()["final_loss"] == 1.0


def test_a_lane_that_was_pruned_has_no_metric_and_one_that_converged_has():
    status = [["pruned"], ["converged"]]
    metrics = {"accuracy": np.array([[0.9], [0.5]])}
    result = on_rates([[NAN], [1.0]], [0.1, 0.2], status=status, metrics=metrics)
    np.testing.assert_array_equal(result.values("accuracy"), [[NAN], [0.5]])
    assert result.best("accuracy", maximize=True)["accuracy"] == 0.5


def test_several_dimensions_can_be_judged_together_or_none():
    final = np.array([[[1, 9], [5, 6]], [[8, 2], [4, 4]]])
    coords = {"learning_rate": [0.1, 0.2], "b1": [0.5, 0.9]}
    result = made(final, coords)
    by_rate = final.reshape(2, -1).mean(axis=1)
    assert result.best(over=("b1", "seed"), rule="mean") == {
        "learning_rate": [0.1, 0.2][np.argmin(by_rate)],
        "final_loss": by_rate.min(),
    }
    assert result.best(over=()) == {"learning_rate": 0.1, "b1": 0.5, "seed": 0, "final_loss": 1.0}
    assert result.best_index(over=()) == (0, 0, 0)


def test_the_best_sample_is_told_by_its_axes():
    best = sampled([[2.0], [1.0]], [0.1, 0.2], [0.9, 0.8]).best()
    assert best == {"learning_rate": 0.2, "b1": 0.8, "final_loss": 1.0}


def test_the_best_of_several_optimizers_has_a_name():
    coords = {"optimizer": ["sgd", "adam"], "learning_rate": [0.1, 0.2]}
    best = made([[[3.0], [2.0]], [[1.0], [4.0]]], coords, seeds=[0]).best()
    assert best == {"optimizer": "adam", "learning_rate": 0.1, "final_loss": 1.0}


def test_unknown_names_are_refused_with_those_there_are(result):
    with pytest.raises(ValueError, match=r"no metric 'accuracy'; there are final_loss, distance"):
        result.best("accuracy")
    with pytest.raises(ValueError, match=r"no dimension 'seeds'; there are learning_rate, seed"):
        result.best(over="seeds")
    with pytest.raises(
        ValueError, match=r"rule must be 'median', 'mean', 'min' or 'max', not 'mode'"
    ):
        result.best(rule="mode")


def test_when_everything_diverged_there_is_no_best():
    everything = on_rates([[NAN], [NAN]], [1.0, 2.0])
    with pytest.raises(ValueError, match="no point has a finite final_loss"):
        everything.best()


def test_only_lanes_that_diverged_have_a_step_of_divergence():
    status = [["diverged"], ["pruned"], ["ok"]]
    result = on_rates([[NAN], [NAN], [1.0]], [0.1, 0.2, 0.3], status=status)
    np.testing.assert_array_equal(result.stopped_at, [[7], [7], [-1]])
    np.testing.assert_array_equal(result.diverged_at, [[7], [-1], [-1]])


def test_parameters_must_say_what_their_dimensions_are():
    with pytest.raises(ValueError, match="kept needs params_dims"):
        on_rates([[1.0]], [0.1], kept={"w": np.ones((1, 1, 3))})


def test_a_line_says_how_the_lanes_ended(result):
    assert repr(result) == "<SweepResult (learning_rate: 4, seed: 2), 6 ok, 2 diverged>"


def test_a_notebook_shows_the_best_point_and_the_edge_and_folds_the_arrays_away(result):
    html = result._repr_html_()
    table, arrays = html.split("<details>", 1)
    assert "learning_rate = 0.5, final_loss = 4.547e-13" in table
    assert "6 ok, 2 diverged" in table
    assert "learning_rate = 0.5; 3 diverges" in table
    assert "xarray" in arrays


def test_a_notebook_shows_the_edge_of_each_optimizer():
    coords = {"optimizer": ["sgd", "adam"], "learning_rate": [0.1, 0.2]}
    html = made([[[3.0], [NAN]], [[1.0], [4.0]]], coords, seeds=[0])._repr_html_()
    assert "stable up to, optimizer sgd" in html
    assert "learning_rate = 0.1; 0.2 diverges" in html
    assert "learning_rate = 0.2, the largest that was tried" in html


def test_names_are_no_markup_in_a_notebook():
    name = "<script>alert(1)</script>"
    html = made([[[1.0]]], {"optimizer": [name], name: [0.1]}, seeds=[0])._repr_html_()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_a_notebook_shows_a_result_in_which_nothing_has_a_value():
    assert "no point has a finite final_loss" in on_rates([[NAN]], [0.1])._repr_html_()


def test_a_sweep_says_where_it_comes_from(result):
    import jax

    assert isinstance(result, SweepResult)
    assert result.provenance["jax"] == jax.__version__
    assert result.provenance["device_kind"] == jax.devices()[0].device_kind

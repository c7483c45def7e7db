"""Labelled results: what ``SweepResult`` says of a small sweep whose outcome is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, adam, sgd, sweep

RATES = [0.25, 0.5, 3.0, 0.125]


@pytest.fixture(scope="module")
def result():
    """½w² from seeds' own starts: each rate η leaves (1 − η)² of the loss a step."""
    start = lambda key: jnp.ones(1)  # noqa: E731
    return sweep(
        lambda w: 0.5 * jnp.sum(w**2),
        start,
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
    assert "sgd(Axis(" in dataset.attrs["optimizer"]


def test_a_dataset_goes_to_netcdf_and_back(result, tmp_path):
    import xarray

    result.to_xarray().to_netcdf(tmp_path / "sweep.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "sweep.nc", engine="h5netcdf") as read:
        np.testing.assert_array_equal(read["loss"], result.loss)
        np.testing.assert_array_equal(read["status"].astype(str), result.status)


def test_pandas_has_a_row_for_each_lane(result):
    frame = result.to_pandas()
    assert len(frame) == len(RATES) * 2
    row = frame[(frame.learning_rate == 3.0) & (frame.seed == 4)].iloc[0]
    assert row.status == "diverged"
    assert np.isnan(row.final_loss)


def test_the_best_point_has_the_smallest_median_or_the_largest_if_asked(result):
    assert result.best()["learning_rate"] == 0.5
    assert result.best("distance")["learning_rate"] == 0.5
    assert result.best("nearness", maximize=True)["learning_rate"] == 0.5
    assert result.best("nearness")["learning_rate"] == 0.125


def test_the_stable_range_stops_at_the_first_rate_that_diverges_in_any_order_of_rates(result):
    assert result.stable_range("learning_rate") == (0.125, 0.5)


def test_unknown_metrics_and_axes_are_named_with_those_there_are(result):
    with pytest.raises(ValueError, match=r"no metric 'accuracy'; there are final_loss, distance"):
        result.best("accuracy")
    with pytest.raises(ValueError, match=r"no axis 'b1'; there are learning_rate"):
        result.stable_range("b1")


def test_when_everything_diverged_there_is_no_best():
    everything = sweep(lambda w: w**2, 1.0, sgd(Axis("rate", [1e9])), steps=5)
    with pytest.raises(ValueError, match="all of them diverged"):
        everything.best()


def test_a_point_counts_as_bad_as_its_worst_half_of_seeds():
    # One of three seeds at a rate that is too high is lucky; the median is not fooled.
    def loss(w, key):
        return jnp.sum(w**2)

    start = lambda key: jnp.ones(1)  # noqa: E731
    swept = sweep(loss, start, sgd(Axis("rate", [0.1, 0.2])), steps=3, seeds=3)
    losses = swept.loss.copy()
    losses[1, :2, -1] = np.nan
    losses[1, 2, -1] = 0.0
    import dataclasses

    assert dataclasses.replace(swept, loss=losses).best()["rate"] == pytest.approx(0.1)


def test_it_shows_itself_as_a_line_and_as_a_table(result):
    assert repr(result) == "<SweepResult (learning_rate: 4, seed: 2), 2 of 8 lanes diverged>"
    assert "learning_rate" in result._repr_html_()


def test_one_axis_is_a_curve_with_the_diverged_region_shaded(result):
    ax = result.plot()
    line = ax.lines[0].get_ydata()
    np.testing.assert_allclose(line[:3], np.median(result.final_loss[[3, 0, 1]], axis=-1))
    assert np.isnan(line[3])
    spans = [patch.get_x() for patch in ax.patches]
    assert len(spans) == 1
    assert 0.5 < spans[0] < 3.0


def test_two_axes_are_a_heat_map_and_three_are_refused():
    def swept(**axes):
        return sweep(lambda w: w**2, 1.0, adam(**axes), steps=2)

    rate, b1, b2 = (Axis(name, [0.1, 0.5]) for name in ("rate", "b1", "b2"))
    assert swept(learning_rate=rate, b1=b1).plot().get_xlabel() == "b1"
    with pytest.raises(ValueError, match="does not fit one picture"):
        swept(learning_rate=rate, b1=b1, b2=b2).plot()


def test_several_optimizers_are_a_panel_each():
    rate = Axis("rate", [0.1, 0.5])
    panels = sweep(lambda w: w**2, 1.0, {"sgd": sgd(rate), "adam": adam(rate)}, steps=2).plot()
    assert [panel.get_title() for panel in panels.ravel()] == ["sgd", "adam"]

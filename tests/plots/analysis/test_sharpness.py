"""Sharpness that rises to a threshold, and thresholds that move."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import plots
from gdlab.analysis import Tracked

STEP = np.arange(0, 50, 10)
SHARPNESS = np.array([1.0, 3.0, np.nan, 4.2, 3.9])


def test_the_sharpness_and_a_constant_threshold_are_lines_that_differ_in_dashes():
    ax = plots.sharpness(STEP, SHARPNESS, 4.0)
    line, limit = ax.lines
    np.testing.assert_array_equal(line.get_ydata(), SHARPNESS)
    np.testing.assert_array_equal(limit.get_ydata(), [4.0] * 5)
    assert line.get_linestyle() != limit.get_linestyle()
    assert ax.get_xlim() == (0, 40)


def test_what_is_unstable_is_hatched_from_the_threshold_to_the_top():
    ax = plots.sharpness(STEP, SHARPNESS, 4.0)
    (area,) = ax.collections
    assert area.get_hatch()
    heights = area.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (4.0, pytest.approx(ax.get_ylim()[1]))
    assert ax.get_ylim()[1] > 4.2


def test_a_threshold_that_goes_to_infinity_leaves_the_sharpness_in_view():
    ax = plots.sharpness(STEP, SHARPNESS, [4.0, 5.0, 10.0, 100.0, np.inf])
    assert 4.2 < ax.get_ylim()[1] < 6
    assert np.all(np.isfinite(ax.collections[0].get_paths()[0].vertices))


def test_the_threshold_is_in_view_while_the_sharpness_is_far_below():
    assert plots.sharpness(STEP, SHARPNESS / 100, 4.0).get_ylim()[1] > 4.0


def test_a_sharpness_far_above_the_threshold_leaves_the_threshold_in_view():
    ax = plots.sharpness(STEP, [4000.0, 30.0, np.nan, 60.0, 45.0], 50.0)
    assert ax.get_yscale() == "log"
    low, high = ax.transAxes.inverted().transform(ax.transData.transform([(0, 30), (0, 50)]))[:, 1]
    assert 0 < low < low + 0.05 < high < 0.5
    assert plots.sharpness(STEP, SHARPNESS, 4.0).get_yscale() == "linear"


def test_where_no_threshold_is_known_none_is_drawn():
    ax = plots.sharpness(STEP, SHARPNESS, np.nan)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["sharpness"]
    assert ax.get_ylim()[1] > 4.2
    partly = plots.sharpness(STEP, SHARPNESS, [np.nan, 4.0, 4.0, 4.0, 4.0])
    heights = partly.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (4.0, pytest.approx(partly.get_ylim()[1]))
    nothing = plots.sharpness(STEP, np.full(5, np.nan), np.nan)
    assert nothing.get_ylim()[0] < nothing.get_ylim()[1]


@pytest.mark.slow
def test_the_loss_is_a_second_panel_logarithmic_where_it_spans_decades():
    panels = plots.sharpness(STEP, SHARPNESS, 4.0, loss=[1.0, 0.1, 0.01, 1e-3, 1e-4])
    assert [ax.get_ylabel() for ax in panels] == ["sharpness", "loss"]
    assert panels[1].get_yscale() == "log"
    assert [ax.get_xlabel() for ax in panels] == ["", "step"]
    level = plots.sharpness(STEP, SHARPNESS, 4.0, loss=[1.0, 0.9, 0.8, 0.8, np.inf])[1]
    assert level.get_yscale() == "linear"
    assert np.isnan(level.lines[0].get_ydata()[-1])


def test_a_loss_within_two_decades_has_numbers_at_one_two_and_five():
    loss = plots.sharpness(STEP, SHARPNESS, 4.0, loss=[0.5, 0.2, 0.1, 0.05, 0.02])[1]
    loss.figure.canvas.draw()
    shown = [text.get_text() for text in loss.get_yticklabels(which="both") if text.get_text()]
    low, high = loss.get_ylim()
    assert [name for name in shown if low <= float(name) <= high] == [
        "0.02", "0.05", "0.1", "0.2", "0.5"
    ]  # fmt: skip


def test_what_is_drawn_can_be_named():
    ax = plots.sharpness(STEP, SHARPNESS, 4.0, name="preconditioned sharpness")
    assert ax.get_ylabel() == "preconditioned sharpness"
    assert ax.get_legend().get_texts()[0].get_text() == "preconditioned sharpness"


@pytest.mark.parametrize(
    ("preconditioned", "name"),
    [(SHARPNESS, "sharpness"), (10 * SHARPNESS, "preconditioned sharpness")],
)
def test_a_tracked_run_says_which_sharpness_it_draws(preconditioned, name):
    nothing = np.full(5, np.nan)
    tracked = Tracked(
        STEP, np.ones(5), SHARPNESS, nothing, preconditioned, nothing, nothing, None, None
    )
    assert tracked.plot()[0].get_ylabel() == name


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert plots.sharpness(STEP, SHARPNESS, 4.0, ax=ax) is ax
    _, given = plt.subplots(2, 1)
    assert list(plots.sharpness(STEP, SHARPNESS, 4.0, loss=STEP, ax=given)) == list(given)
    with pytest.raises(ValueError, match="2 panels need as many axes, not 1"):
        plots.sharpness(STEP, SHARPNESS, 4.0, loss=STEP, ax=ax)

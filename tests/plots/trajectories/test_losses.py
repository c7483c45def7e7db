"""Losses of runs, and the axis that they are drawn on."""

import numpy as np
import pytest

from gdlab import minimize, plots, problems, sgd


@pytest.mark.x64
def test_a_run_is_drawn_by_its_height_above_the_minimum():
    valley = problems.styblinski_tang()
    run, minimum = minimize(valley, np.array([-2.0, -2.0]), sgd(0.005), steps=30), valley.minimum
    ax = plots.losses({"plain": run}, minimum=minimum)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.asarray(run.values) - minimum)
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["plain"]
    assert ax.get_xlim() == (0, 30)


def test_the_axis_is_logarithmic_only_where_losses_span_a_factor_of_ten():
    assert plots.losses([100.0, 50.0, 1.0]).get_yscale() == "log"
    assert plots.losses([3.0, 2.0, 1.0]).get_yscale() == "linear"
    assert plots.losses([1.0, 0.0, -5.0]).get_yscale() == "linear"
    # On a saddle there is nothing to measure a height from.
    assert plots.losses([100.0, 50.0, 1.0], minimum=-np.inf).get_yscale() == "linear"


def test_a_run_that_diverges_leaves_the_others_to_be_seen():
    ax = plots.losses({"good": [1.0, 0.1, 0.01], "bad": [1.0, 1e30, np.inf]}, minimum=0.0)
    low, high = ax.get_ylim()
    assert low < 0.01 < 1 < high < 1e3


def test_runs_without_losses_are_refused():
    with pytest.raises(ValueError, match="'a' must have a loss for each step"):
        plots.losses({"a": 3.0})


def test_no_runs_and_runs_without_names_are_refused():
    bowl = problems.quadratic()
    run = minimize(bowl, bowl.start, sgd(0.01), steps=2)
    with pytest.raises(ValueError, match="runs must be one run or a dictionary"):
        plots.losses([run, run])
    with pytest.raises(ValueError, match=r"runs must be a dictionary.* not an empty one"):
        plots.losses({})


def test_a_name_is_in_the_legend_whatever_it_begins_with_and_no_longer_than_there_is_room():
    ax = plots.losses({"_hidden": [2.0, 1.0], "long " * 20: [3.0, 1.0]})
    hidden, long = (text.get_text() for text in ax.get_legend().get_texts())
    assert hidden.endswith("_hidden")
    assert long == ("long " * 20)[:39] + "…"

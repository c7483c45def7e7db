"""What is drawn of a range test whose numbers are known."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gdlab.plots.analysis.learning_rate import plot_learning_rates
from gdlab.plots.scales import DIVERGED

RATES = np.logspace(-4, 2, 7)
VALUES = np.array([2.0, 1.9, 1.0, 0.5, 0.7, 40.0, np.inf])
MARKS = {"steepest": 1e-2, "valley": 3e-3, "minimum": 1e-1}


def drawn(values=VALUES, curve=VALUES, edge=(10.0, 100.0), **settings):
    return plot_learning_rates(
        RATES, values, curve, marks=MARKS, suggestion=0.1, edge=edge, **settings
    )


def labelled(ax, name):
    handles, labels = ax.get_legend_handles_labels()
    return handles[next(i for i, label in enumerate(labels) if label.startswith(name))]


def test_the_line_is_the_curve_and_the_dots_are_the_lanes():
    line, dots = drawn(curve=VALUES + 1).lines[:2]
    np.testing.assert_array_equal(line.get_ydata(), [3.0, 2.9, 2.0, 1.5, 1.7, 41.0, np.nan])
    np.testing.assert_array_equal(dots.get_ydata(), [2.0, 1.9, 1.0, 0.5, 0.7, 40.0, np.nan])
    np.testing.assert_array_equal(dots.get_xdata(), RATES)


def test_each_mark_is_a_shape_of_its_own_on_the_curve_with_its_number():
    ax = drawn()
    steepest, valley, minimum = (labelled(ax, name) for name in MARKS)
    assert (steepest.get_xdata(), steepest.get_ydata()) == ([1e-2], pytest.approx([1.0]))
    assert (minimum.get_xdata(), minimum.get_ydata()) == ([1e-1], pytest.approx([0.5]))
    assert 1.0 < valley.get_ydata()[0] < 1.9
    assert len({mark.get_marker() for mark in (steepest, valley, minimum)}) == 3
    assert valley.get_label() == "valley 0.003"


def test_the_suggestion_is_a_line_and_what_is_unstable_is_shaded_from_the_middle_of_the_edge():
    ax = drawn()
    assert labelled(ax, "suggestion").get_xdata() == [0.1, 0.1]
    shade = labelled(ax, "unstable, from 10 to 100 on")
    assert shade.get_x() == pytest.approx(np.sqrt(1000))
    np.testing.assert_allclose(shade.get_facecolor()[:3], to_rgb(DIVERGED))
    assert shade.get_x() + shade.get_width() == pytest.approx(ax.get_xlim()[1])


def test_without_an_edge_nothing_is_shaded_and_without_a_bound_there_is_no_line_for_it():
    labels = drawn(edge=(100.0, np.inf)).get_legend_handles_labels()[1]
    assert len(labels) == 4
    bound = labelled(drawn(bound=0.7), "bound by curvature 0.7")
    assert bound.get_xdata() == [0.7, 0.7]
    assert bound.get_linestyle() == "--"


def test_the_fall_is_in_view_and_what_happens_on_the_way_to_divergence_need_not_be():
    low, high = drawn(values=np.where(VALUES == 40, 4e3, VALUES)).get_ylim()
    assert low < 0.5
    assert 2.0 < high < 10


def test_the_scale_is_logarithmic_where_losses_span_decades():
    assert drawn().get_yscale() == "log"
    assert drawn(values=VALUES - 1, curve=VALUES - 1).get_yscale() == "linear"
    assert drawn().get_xscale() == "log"


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert drawn(ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning rate", "loss at the end")

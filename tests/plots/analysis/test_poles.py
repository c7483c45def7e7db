"""Where poles are drawn, and how those inside and outside the unit circle differ."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Circle

from gdlab import plots, sgd
from gdlab.analysis import linearize


def marks(ax):
    """Marker, colour and places of all that is drawn at points."""
    return [
        (line.get_marker(), line.get_color(), list(map(tuple, line.get_xydata())))
        for line in ax.lines
        if line.get_marker() not in ("", "None") and len(line.get_xdata())
    ]


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_poles_stand_at_their_real_and_imaginary_parts():
    ((_, _, places),) = marks(plots.poles([0.3 + 0.4j, 0.3 - 0.4j, -0.5]))
    assert places == [(0.3, 0.4), (0.3, -0.4), (-0.5, 0.0)]


def test_inside_and_outside_differ_in_colour_and_in_shape():
    ax = plots.poles([0.5, -1.5])
    inner, outer = marks(ax)
    assert (inner[2], outer[2]) == ([(0.5, 0.0)], [(-1.5, 0.0)])
    assert inner[0] != outer[0]
    assert inner[1] != outer[1]
    assert names(ax) == ["|r| < 1", "|r| ≥ 1"]


def test_a_pole_on_the_circle_is_not_inside_whatever_rounding_says():
    assert names(plots.poles([1 - 1e-12, np.exp(0.3j), -1.0])) == ["|r| ≥ 1"]


def test_each_named_group_has_a_shape_and_outside_it_is_hollow():
    ax = plots.poles([[0.5, 0.2], [0.1, -2.0]], labels=["η = 1", "η = 4"])
    first, second, outside = marks(ax)
    assert first[0] != second[0] == outside[0]
    assert second[1] != outside[1]
    hollow = next(line for line in ax.lines if tuple(line.get_xdata()) == (-2.0,))
    assert hollow.get_markerfacecolor() == "white"
    assert names(ax) == ["|r| < 1", "|r| ≥ 1", "η = 1", "η = 4"]


def test_groups_without_names_look_the_same():
    ((_, _, places),) = marks(plots.poles([[0.5, 0.2], [0.1, -0.3]]))
    assert len(places) == 4


def test_the_unit_circle_and_far_poles_are_in_view_at_one_scale():
    ax = plots.poles([0.5, -4.0])
    (circle,) = (patch for patch in ax.patches if isinstance(patch, Circle))
    assert (circle.center, circle.radius) == ((0, 0), 1)
    assert ax.get_aspect() == 1
    assert ax.get_xlim()[0] < -4.0
    assert 1.0 < ax.get_xlim()[1] < 2.0
    assert ax.get_ylim()[1] > 1.0


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert plots.poles([0.5], ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Re r", "Im r")


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 groups of poles need as many, not 1"):
        plots.poles([[0.5], [0.2]], labels=["one"])
    with pytest.raises(ValueError, match="shapes for 7 groups, not for 8"):
        plots.poles(np.zeros((8, 1)), labels=list("abcdefgh"))


def test_a_linearization_draws_its_poles_and_names_its_modes():
    # r² − (1 + β − ηλ)r + β = r² − r + ½
    ((_, _, places),) = marks(linearize(sgd(0.5, momentum=0.5), 1.0).plot())
    np.testing.assert_allclose(places, [(0.5, 0.5), (0.5, -0.5)], atol=1e-12)
    _, given = plt.subplots()
    ax = linearize(sgd(0.5), [0.1, 1.0, 3.0]).plot(ax=given)
    assert ax is given
    assert names(ax) == ["|r| < 1", "λ = 0.1", "λ = 1", "λ = 3"]
    assert names(linearize(sgd(0.5), np.linspace(0.1, 1, 9)).plot()) == ["|r| < 1"]

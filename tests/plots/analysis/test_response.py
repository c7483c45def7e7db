"""Stems of a response, step by step."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import plots


def test_a_stem_goes_from_zero_to_each_value():
    ax = plots.response([0.5, 0.25, -0.1])
    stems = [segment.tolist() for segment in ax.collections[0].get_segments()]
    assert stems == [[[0, 0], [0, 0.5]], [[1, 0], [1, 0.25]], [[2, 0], [2, -0.1]]]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0, 0.5], [1, 0.25], [2, -0.1]])


def test_many_stems_are_thin():
    few, many = plots.response(np.ones(10)), plots.response(np.ones(500))
    assert many.collections[0].get_linewidth() < few.collections[0].get_linewidth()


def test_several_filters_stand_side_by_side_in_colours_and_markers_of_their_own():
    together = plots.response({"short": [0.5, 0.25], "long": [0.1, 0.09]})
    apart = plots.response([0.1, 0.09], ax=plots.response([0.5, 0.25]))
    for ax in (together, apart):
        first, second = (line for line in ax.lines if line.get_gid())
        assert first.get_color() != second.get_color()
        assert first.get_marker() != second.get_marker()
        assert np.all(second.get_xdata() - first.get_xdata() > 0)
        assert np.all(second.get_xdata() - first.get_xdata() < 0.5)
    names = [text.get_text() for text in together.get_legend().get_texts()]
    assert names == ["short", "long"]
    assert apart.get_legend() is None
    with pytest.raises(ValueError, match="not an empty one"):
        plots.response({})
    with pytest.raises(ValueError, match=r"response of 'long' must have one axis, .* \(1, 2\)"):
        plots.response({"short": [1.0], "long": [[1.0, 2.0]]})


def test_the_kind_is_on_the_axis_and_any_other_is_refused():
    assert plots.response([1.0]).get_ylabel() == "impulse response"
    assert plots.response([1.0], kind="step").get_ylabel() == "step response"
    with pytest.raises(ValueError, match="kind must be 'impulse' or 'step', not 'ramp'"):
        plots.response([1.0], kind="ramp")


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert plots.response([1.0, 0.5], ax=ax) is ax
    assert ax.get_xlabel() == "step k"

"""The loss of modes that shrink by known factors."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import plots

CURVATURE = np.array([0.1, 1.0])
PATH = np.array([0.99, 0.9]) ** np.arange(51)[:, None]


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def heights(area):
    """The upper minus the lower edge of an area at steps 0, 1, 2, …"""
    vertices = area.get_paths()[0].vertices
    return [np.ptp(vertices[vertices[:, 0] == step, 1]) for step in range(51)]


def test_the_lines_are_the_loss_of_each_mode_and_of_all_on_a_logarithmic_scale():
    ax, _ = plots.error_by_mode(CURVATURE, PATH)
    assert ax.get_yscale() == "log"
    flat, steep, total = ax.lines
    np.testing.assert_allclose(flat.get_ydata(), 0.05 * 0.99 ** (2 * np.arange(51)))
    np.testing.assert_allclose(steep.get_ydata(), 0.5 * 0.9 ** (2 * np.arange(51)))
    np.testing.assert_allclose(total.get_ydata(), flat.get_ydata() + steep.get_ydata())
    assert names(ax) == ["λ = 0.1", "λ = 1", "all modes"]
    assert flat.get_linestyle() != steep.get_linestyle()


def test_the_areas_are_shares_of_one_on_a_linear_scale():
    _, ax = plots.error_by_mode(CURVATURE, PATH)
    assert ax.get_yscale() == "linear"
    assert ax.get_ylim() == (0, 1)
    steep, flat = (heights(area) for area in ax.collections)
    loss = np.stack([0.5 * 0.81 ** np.arange(51), 0.05 * 0.9801 ** np.arange(51)])
    np.testing.assert_allclose([steep, flat], loss / loss.sum(0), atol=1e-12)


def test_modes_in_any_order_are_drawn_from_flat_to_steep():
    ax, _ = plots.error_by_mode(CURVATURE[::-1], PATH[:, ::-1])
    np.testing.assert_allclose(ax.lines[0].get_ydata()[0], 0.05)
    assert names(ax)[0] == "λ = 0.1"


def test_a_mode_that_is_no_part_of_the_loss_does_not_set_the_scale():
    ax, _ = plots.error_by_mode([1.0, 2.0], np.array([0.9, 1e-3]) ** np.arange(51)[:, None])
    assert ax.get_ylim()[0] == pytest.approx(1e-4 * 0.5 * 0.81**50)


def test_the_end_of_all_error_and_overflow_leave_gaps():
    path = np.array([[1.0, 1.0], [1e200, 1.0], [0.0, 0.0]])
    loss, share = plots.error_by_mode(CURVATURE, path)
    np.testing.assert_array_equal(np.isnan(loss.lines[-1].get_ydata()), [False, True, True])
    assert len(share.collections) == 2


def test_many_modes_have_a_colour_bar_in_the_colours_of_the_lines():
    curvature = np.geomspace(0.01, 1, 9)
    loss, _ = plots.error_by_mode(curvature, np.full((5, 9), 0.5))
    assert names(loss) == ["all modes"]
    (bar,) = (ax for ax in loss.figure.axes if ax.get_ylabel() == "curvature λ")
    mappable = bar._colorbar.mappable
    np.testing.assert_allclose(
        mappable.to_rgba(curvature), [line.get_color() for line in loss.lines[:9]]
    )


def test_a_path_without_a_column_for_each_mode_is_refused():
    with pytest.raises(ValueError, match=r"not \(5, 3\) for \(2,\)"):
        plots.error_by_mode(CURVATURE, np.ones((5, 3)))


def test_it_draws_on_the_axes_it_is_given():
    _, given = plt.subplots(2, 1)
    panels = plots.error_by_mode(CURVATURE, PATH, ax=given)
    assert list(panels) == list(given)
    assert [ax.get_ylabel() for ax in panels] == ["loss ½λᵢwᵢ²", "share of the loss"]
    assert panels[1].get_xlabel() == "step k"

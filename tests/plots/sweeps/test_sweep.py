"""What is drawn of results whose numbers are known."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb

from gdlab.plots.scales import DIVERGED, DIVERGED_TINT, MISSING
from tests.sweeps.made import made, on_rates

NAN = np.nan


def spans(ax):
    """Left edge, right edge and opacity of what is shaded."""
    return [
        (patch.get_x(), patch.get_x() + patch.get_width(), patch.get_alpha())
        for patch in ax.patches
        if np.allclose(patch.get_facecolor()[:3], to_rgb(DIVERGED))
    ]


def test_one_axis_is_the_median_with_the_range_of_the_seeds():
    final = np.array([[1, 2, 6], [3, 1, 2], [5, 4, 9]])
    ax = on_rates(final, [0.4, 0.1, 0.2]).plot()
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.2, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(line.get_ydata(), [2, 5, 2])
    corners = ax.collections[0].get_paths()[0].vertices
    for rate, low, high in ((0.1, 1, 3), (0.2, 4, 9), (0.4, 1, 6)):
        at = corners[np.isclose(corners[:, 0], rate, rtol=1e-5), 1]
        assert (at.min(), at.max()) == (low, high)


def test_the_dot_is_the_best_point_and_the_largest_if_asked():
    result = on_rates([[2.0], [1.0], [3.0]], [0.1, 0.2, 0.3])
    assert result.plot().lines[-1].get_ydata() == [1.0]
    assert result.plot(maximize=True).lines[-1].get_ydata() == [3.0]


def test_the_more_seeds_diverged_the_darker_and_the_line_is_their_median():
    final = [[1.0, 1.0, 1.0], [2.0, 3.0, NAN], [2.0, NAN, NAN], [NAN, NAN, NAN]]
    ax = on_rates(final, [1.0, 2.0, 3.0, 4.0]).plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1, 3, NAN, NAN])
    left, right, alpha = np.transpose(spans(ax))
    np.testing.assert_allclose(left, [1.5, 2.5, 3.5])
    np.testing.assert_allclose(right, [2.5, 3.5, 4.5])
    np.testing.assert_allclose(alpha / alpha[-1], [1 / 3, 2 / 3, 1])
    assert [text.get_text() for text in ax.texts] == ["diverged"]


def test_a_narrow_band_has_its_name_above_it_and_a_wide_one_within():
    rates = np.linspace(0.1, 2.0, 20)
    for first, inside in ((19, False), (10, True)):
        final = np.where(np.arange(20) < first, 1.0, NAN)[:, None]
        (text,) = on_rates(final, rates).plot().texts
        assert (0 < text.get_position()[1] < 1) == inside
        assert text.get_rotation() == (90 if inside else 0)


def test_only_what_diverged_is_shaded():
    status = [["pruned"], ["ok"], ["not run"], ["converged"], ["diverged"]]
    final = [[NAN], [1.0], [NAN], [2.0], [NAN]]
    ax = on_rates(final, [1.0, 2.0, 3.0, 4.0, 5.0], status=status).plot()
    assert [span[:2] for span in spans(ax)] == [(4.5, 5.5)]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [NAN, 1, NAN, 2, NAN])
    # No line leads to either of the two, so each is a dot.
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [NAN, 1, NAN, 2, NAN])


def test_scales_are_logarithmic_where_values_span_decades():
    ax = on_rates([[1.0], [100.0]], [0.1, 0.2]).plot()
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    ax = on_rates([[-1.0], [100.0]], [0.1, 10.0]).plot()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")


def test_an_axis_that_was_sampled_is_a_dot_for_each_lane():
    coords = {"sample": np.arange(3), "learning_rate": [0.4, 0.1, 0.2]}
    final = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, NAN]])
    ax = made(final, coords, {"learning_rate": "sample"}).plot()
    dots = [line.get_xydata() for line in ax.lines if line.get_marker() == "."]
    drawn = {tuple(dot) for line in dots for dot in line if not np.isnan(dot).any()}
    assert drawn == {(0.4, 1), (0.4, 2), (0.1, 3), (0.1, 4), (0.2, 5)}
    medians = next(line for line in ax.lines if line.get_marker() == "_")
    np.testing.assert_array_equal(medians.get_ydata(), [3.5, NAN, 1.5])


def test_of_axes_that_move_together_the_dimension_is_drawn():
    coords = {"learning_rate": [0.1, 0.2], "b1": [0.9, 0.8]}
    ax = made([[1.0], [2.0]], coords, dict.fromkeys(coords, "learning_rate"), seeds=[0]).plot()
    assert ax.get_xlabel() == "learning rate"
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0.1, 1], [0.2, 2]])


def test_samples_of_one_value_can_be_drawn():
    coords = {"sample": np.arange(2), "learning_rate": [0.1, 0.1]}
    made([[1.0], [NAN]], coords, {"learning_rate": "sample"}, seeds=[0]).plot()


def test_several_optimizers_are_a_panel_each_on_the_same_scales():
    coords = {"optimizer": list("abcdef"), "learning_rate": [0.1, 0.2]}
    final = np.arange(12.0).reshape(6, 2, 1)
    panels = made(final, coords, seeds=[0]).plot()
    flat = panels.ravel()
    assert [panel.get_title() for panel in flat[:6]] == list("abcdef")
    for panel, losses in zip(flat, final, strict=False):
        np.testing.assert_array_equal(panel.lines[0].get_ydata(), losses[:, 0])
    assert len({panel.get_ylim() for panel in flat}) == 1
    assert panels.size == 6


def test_problems_and_optimizers_are_rows_and_columns():
    coords = {"problem": ["p", "q"], "optimizer": list("abc"), "learning_rate": [0.1, 0.2]}
    panels = made(np.ones((2, 3, 2, 1)), coords, seeds=[0]).plot()
    assert panels.shape == (2, 3)
    assert panels[1, 2].get_title() == "q, c"


def test_two_axes_are_a_heat_map_of_the_medians():
    final = np.array([[[1, 3, 2], [4, 4, 4]], [[5, 5, 5], [NAN, NAN, NAN]]], float)
    result = made(final, {"learning_rate": [0.2, 0.1], "b1": [0.5, 0.9]}, seeds=[0, 1, 2])
    ax = result.plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("b1", "learning rate")
    lost, medians = (mesh.get_array() for mesh in ax.collections if isinstance(mesh, QuadMesh))
    # Rates upwards, the second row of ``final`` first.
    np.testing.assert_array_equal(medians.filled(NAN), [[5, NAN], [2, 4]])
    np.testing.assert_array_equal(lost.mask, [[True, False], [True, True]])
    assert ax.lines[0].get_xydata().tolist() == [[0, 1]]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.5", "0.9"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0.1", "0.2"]


def test_in_a_heat_map_what_diverged_and_what_was_not_run_have_their_own_colours():
    status = [[["diverged"], ["pruned"]], [["not run"], ["ok"]]]
    final = [[[NAN], [NAN]], [[NAN], [1.0]]]
    coords = {"learning_rate": [1.0, 2.0], "b1": [1.0, 2.0]}
    ax = made(final, coords, seeds=[0], status=status).plot()
    colors = pixels(ax, [(0.2, 0.2), (1.2, 0.2), (0.2, 1.2)])
    tint, missing = (255 * np.array(to_rgb(c)) for c in (DIVERGED_TINT, MISSING))
    np.testing.assert_allclose(colors, [tint, missing, missing], atol=2)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["diverged", "not run to the end"]


def pixels(ax, points):
    """The colours that are seen at points of the data."""
    ax.figure.canvas.draw()
    image = np.asarray(ax.figure.canvas.buffer_rgba()).astype(float)
    places = ax.transData.transform(points).astype(int)
    return [image[image.shape[0] - y, x, :3] for x, y in places]


def test_heat_maps_of_several_optimizers_share_their_colours():
    coords = {"optimizer": ["a", "b"], "learning_rate": [0.1, 0.2], "b1": [0.5, 0.9]}
    final = np.array([1.0, 50.0]).reshape(2, 1, 1, 1) * np.ones((2, 2, 2, 1))
    panels = made(final, coords, seeds=[0]).plot()
    assert [panel.get_title() for panel in panels.ravel()] == ["a", "b"]
    limits = {panel.collections[-1].norm.vmin: panel.collections[-1].norm.vmax
              for panel in panels.ravel()}  # fmt: skip
    assert limits == {1.0: 50.0}
    assert len(panels[0, 0].figure.axes) == 3  # one colour bar


def test_cells_of_a_heat_map_have_one_size_and_a_tick_at_each_value_that_was_tried():
    values = [0, 0.01, 0.1, 1]
    ax = made(np.ones((4, 2, 1)), {"b1": values, "learning_rate": [0.1, 1.45]}, seeds=[0]).plot()
    mesh = next(mesh for mesh in ax.collections if isinstance(mesh, QuadMesh))
    sides = np.diff(mesh.get_coordinates()[:, 0, 1]), np.diff(mesh.get_coordinates()[0, :, 0])
    np.testing.assert_allclose(np.concatenate(sides), 1)
    assert ax.get_yticks().tolist() == [0, 1, 2, 3]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "0.01", "0.1", "1"]


def test_ticks_are_the_values_as_written_and_computed_ones_rounded_but_for_what_tells_them_from_1():
    values = [0.0125, 1 / 3, 0.999, 1 - 10**-3.5, 1024]
    ax = made(np.ones((5, 2, 1)), {"b1": values, "learning_rate": [0.1, 1.45]}, seeds=[0]).plot()
    texts = [text.get_text() for text in ax.get_yticklabels()]
    assert texts == ["0.0125", "0.333", "0.999", "0.99968", "1024"]


def test_of_more_values_than_a_dozen_every_other_one_is_written():
    rates = np.geomspace(1e-3, 1, 20).round(4)
    ax = made(np.ones((2, 20, 1)), {"b1": [0.5, 0.9], "learning_rate": rates}, seeds=[0]).plot()
    texts = [float(text.get_text()) for text in ax.get_xticklabels()]
    np.testing.assert_allclose(texts, rates[::2], rtol=1e-4)


def test_a_third_axis_is_a_heat_map_for_each_of_its_values():
    coords = {"b1": [0.5, 0.9, 0.99], "learning_rate": np.geomspace(1e-3, 10, 8).round(4)}
    final = np.arange(96.0).reshape(3, 8, 4, 1)
    coords["eps"] = [1e-8, 1e-6, 1e-4, 1e-2]
    panels = made(final, coords, seeds=[0]).plot()
    # The two longest axes are the sides, so that each panel is one value of the shortest.
    assert [panel.get_title() for panel in panels.ravel()] == ["b1 = 0.5", "b1 = 0.9", "b1 = 0.99"]
    for panel, values in zip(panels.ravel(), final[..., 0], strict=True):
        np.testing.assert_array_equal(panel.collections[-1].get_array(), values)
    assert len({panel.collections[-1].norm for panel in panels.ravel()}) == 1


def test_two_more_axes_are_rows_and_columns_and_three_more_are_parallel_coordinates():
    coords = {"a": [1, 2], "b": [1, 2], "c": [1, 2, 3], "d": [1, 2, 3]}
    panels = made(np.ones((2, 2, 3, 3, 1)), coords, seeds=[0]).plot()
    assert panels.shape == (2, 2)
    assert panels[1, 0].get_title() == "a = 2, b = 1"
    coords = {name: [1, 2] for name in "abcde"}
    assert made(np.ones((2,) * 5 + (1,)), coords, seeds=[0]).plot().get_yticks().size == 0


def test_choices_by_name_are_places_side_by_side_in_their_order():
    final = np.array([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0], [NAN, NAN, NAN]])
    ax = made(final, {"activation": ["tanh", "relu", "exp"]}, seeds=range(3)).plot()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["tanh", "relu", "exp"]
    medians = next(line for line in ax.lines if line.get_marker() == "_")
    np.testing.assert_array_equal(medians.get_ydata(), [2, 5, NAN])
    assert ax.lines[-1].get_xydata().tolist() == [[0, 2]]
    assert [span[:2] for span in spans(ax)] == [(1.5, 2.5)]


def test_two_axes_of_names_are_a_heat_map_and_one_beside_numbers_is_a_panel_each():
    names = {"norm": ["layer", "batch"], "activation": ["tanh", "relu"]}
    ax = made(np.arange(4.0).reshape(2, 2, 1), names, seeds=[0]).plot()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["layer", "batch"]
    np.testing.assert_array_equal(ax.collections[-1].get_array(), [[0, 1], [2, 3]])
    coords = {"activation": ["tanh", "relu"], "learning_rate": [0.1, 0.2]}
    panels = made(np.ones((2, 2, 1)), coords, seeds=[0]).plot()
    titles = [panel.get_title() for panel in panels.ravel()]
    assert titles == ["activation = tanh", "activation = relu"]


def test_the_better_half_of_an_accuracy_has_more_than_one_colour():
    accuracy = np.array([0.9, 0.899, 0.895, 0.89, 0.88, 0.1])
    coords = {"b1": [0.5, 0.9], "learning_rate": [0.1, 1.0, 10.0]}
    metrics = {"accuracy": accuracy.reshape(2, 3, 1)}
    ax = made(np.ones((2, 3, 1)), coords, seeds=[0], metrics=metrics).plot("accuracy")
    places = np.sort(ax.collections[-1].norm(accuracy))
    assert (places[0], places[-1]) == (0, 1)
    # The better quarter, from 0.89725 up, has half of the colours.
    assert ax.collections[-1].norm(np.quantile(accuracy, 0.75)) == pytest.approx(0.5)
    bar = ax.figure.axes[1]
    ticks = [float(text.get_text()) for text in bar.get_yticklabels()]
    np.testing.assert_allclose(ticks[-1], 0.9)
    assert ticks[0] == 0.1


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (2, 2, 1)])
def test_a_sweep_in_which_everything_diverged_can_be_drawn(shape):
    coords = {"learning_rate": [0.1, 1.0, 10.0][: shape[0]], "b1": [0.1, 0.2]}
    coords = dict(list(coords.items())[: len(shape) - 1])
    made(np.full(shape, NAN), coords, seeds=[0]).plot()


def test_the_axes_to_draw_on_can_be_given():
    _, ax = plt.subplots()
    assert on_rates([[1.0], [2.0]], [0.1, 0.2]).plot(ax=ax) is ax
    result = made(np.ones((2, 1, 1)), {"optimizer": ["a", "b"], "rate": [0.1]}, seeds=[0])
    _, panels = plt.subplots(1, 3)
    result.plot(ax=panels)
    assert [panel.get_visible() for panel in panels] == [True, True, False]
    with pytest.raises(ValueError, match="2 panels need as many axes, not 1"):
        result.plot(ax=ax)


def test_without_an_axis_there_is_nothing_to_plot_against():
    with pytest.raises(ValueError, match="no axis to plot against"):
        on_rates([[1.0]], [0.1]).select(learning_rate=0.1).plot()

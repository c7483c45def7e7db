"""Landscapes of which every height is known."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import LogNorm

from gdlab import plots
from gdlab.analysis.landscapes.landscape import Landscape

X, Y = np.linspace(-2, 2, 21), np.linspace(-1, 1, 11)
LOSSES = 0.1 + X**2 + 10 * Y[:, None] ** 2
PATH = np.array([[1.5, 0.5], [0.5, 0.2], [0.0, 0.0]])
PLANE = 0.1 + PATH[:, 0] ** 2 + 10 * PATH[:, 1] ** 2
SEEN = {"path": PATH, "plane_losses": PLANE, "path_losses": np.add(PLANE, [0.5, -0.7, 0.0])}


def test_contours_run_where_the_loss_has_their_value():
    ax = plots.landscape(X, Y, LOSSES)
    lines = ax.collections[1]
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        x, y = path.vertices.T
        np.testing.assert_allclose(0.1 + x**2 + 10 * y**2, level, atol=0.11)


def test_colours_are_logarithmic_over_decades_only():
    assert isinstance(plots.landscape(X, Y, LOSSES).collections[0].norm, LogNorm)
    linear = plots.landscape(X, Y, 5 + LOSSES).collections[0].norm
    assert not isinstance(linear, LogNorm)


def test_the_path_is_a_line_and_its_marks_have_the_true_loss():
    ax = plots.landscape(X, Y, LOSSES, **SEEN, explained_variance=0.25)
    np.testing.assert_array_equal(np.transpose(ax.lines[0].get_data()), PATH)
    (marks,) = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
    np.testing.assert_array_equal(marks.get_offsets(), PATH)
    np.testing.assert_array_equal(marks.get_array(), SEEN["path_losses"])
    first, second = ax.get_title(loc="left").splitlines()
    assert "25 %" in first
    assert "0.7 below" in second


def test_what_is_not_finite_is_left_out():
    losses = LOSSES.copy()
    losses[0, 0], losses[-1, -1] = np.nan, np.inf
    finite = losses[np.isfinite(losses)]
    norm = plots.landscape(X, Y, losses).collections[0].norm
    assert (norm.vmin, norm.vmax) == (finite.min(), finite.max())
    plots.landscape_surface(X, Y, losses)
    plots.landscape(X, Y, np.full_like(losses, np.nan))


def test_a_flat_loss_is_drawn():
    plots.landscape(X, Y, np.ones_like(LOSSES))
    plots.landscape_surface(X, Y, np.ones_like(LOSSES))


@pytest.mark.parametrize(("lift", "height"), [(0, np.log10), (100, np.asarray)])
def test_both_losses_are_lines_over_the_surface(lift, height):
    losses = {name: values + lift for name, values in SEEN.items() if name != "path"}
    ax = plots.landscape_surface(X, Y, LOSSES + lift, path=PATH, **losses)
    for line, name in zip(ax.lines, ("plane_losses", "path_losses"), strict=True):
        np.testing.assert_allclose(line.get_data_3d(), [*PATH.T, height(losses[name])])


@pytest.mark.slow
def test_a_result_draws_itself_on_given_axes():
    found = Landscape(X, Y, LOSSES, 0.1, None, ("one", "other"), **SEEN, explained_variance=0.9)
    figure = plt.figure()
    flat, deep = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2, projection="3d")
    assert found.plot(flat) is flat
    assert found.plot_surface(deep) is deep
    for ax in (flat, deep):
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("one", "other")


def several(lift=10):
    found = Landscape(X, Y, LOSSES, 0.1, None, ("one", "other"))
    seen = found._replace(**SEEN, explained_variance=0.9)
    return {"low": seen, "high": found._replace(losses=lift * LOSSES)}


def test_several_landscapes_have_one_scale_and_one_colour_bar():
    panels = plots.landscapes(several())
    low, high = (panel.collections[0] for panel in panels)
    assert low.norm is high.norm
    assert (low.norm.vmin, low.norm.vmax) == (LOSSES.min(), 10 * LOSSES.max())
    assert [ax.get_ylabel() for ax in panels[0].figure.axes] == ["other", "", "loss"]
    lines = [panel.collections[1] for panel in panels]
    assert len({*lines[0].levels} & {*lines[1].levels}) >= 2
    for level, path in zip(lines[1].levels, lines[1].get_paths(), strict=True):
        x, y = path.vertices.T
        np.testing.assert_allclose(1 + 10 * x**2 + 100 * y**2, level, atol=1.1)


def test_several_landscapes_have_their_names_and_one_legend():
    panels = plots.landscapes(several())
    (name, share, _), (other,) = (panel.get_title(loc="left").splitlines() for panel in panels)
    assert (name, other) == ("low", "high")
    assert "90 %" in share
    (legend,) = panels[0].figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["path", "filled with the true loss", "start", "parameters"]


def test_a_ring_is_at_the_start_of_a_path_and_a_star_at_the_parameters():
    _, ring, star = plots.landscape(X, Y, LOSSES, **SEEN).lines
    assert (ring.get_label(), star.get_label()) == ("start", "parameters")
    np.testing.assert_array_equal(np.ravel(ring.get_data()), PATH[0])
    np.testing.assert_array_equal(np.ravel(star.get_data()), [0, 0])


def test_several_surfaces_have_one_scale_of_heights():
    low, high = plots.landscapes(several(), surface=True)
    assert low.get_zlim() == high.get_zlim()
    assert [t.get_text() for t in low.get_zticklabels()] == ["0.1", "1", "10", "100"]
    assert low.get_title(loc="left") == "low"


def test_heights_over_many_decades_are_powers():
    ax = plots.landscape_surface(X, Y, 50 * LOSSES**2)
    assert [text.get_text() for text in ax.get_zticklabels()] == [
        f"$10^{{{power}}}$" for power in range(4)
    ]


def test_a_flat_landscape_is_drawn_beside_another():
    both = several()
    plots.landscapes(both | {"flat": both["high"]._replace(losses=np.ones_like(LOSSES))})


def test_several_landscapes_draw_themselves_on_given_axes():
    axes = plt.figure().subplots(2)
    assert list(plots.landscapes(several(), axes)) == list(axes)
    with pytest.raises(ValueError, match="2 panels need as many axes, not 1"):
        plots.landscapes(several(), axes[0])
    with pytest.raises(ValueError, match=r"landscapes must be .* not an empty one"):
        plots.landscapes({})
    with pytest.raises(TypeError, match="landscapes must be a dictionary"):
        plots.landscapes(())


def test_losses_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="rows, columns"):
        plots.landscape(X, Y, LOSSES.T)

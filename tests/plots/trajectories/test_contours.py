"""Paths over the contours and the surface of functions whose heights are known."""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from gdlab import minimize, plots, problems, sgd

SPIRAL = np.array([[1.0, 0.5], [0.5, 0.6], [0.1, 0.3], [0.0, 0.0]])
BOUNDS = ((-2, 2), (-1, 1))


def bowl(w):
    return w[0] ** 2 + 4 * w[1] ** 2


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, name):
    (found,) = (line for line in ax.lines if line.get_label() == name)
    return found


def lines_of_levels(ax):
    """Level → points, of the contour lines."""
    _, drawn = ax.collections
    return {
        level: path.vertices
        for level, path in zip(drawn.levels, drawn.get_paths(), strict=True)
        if len(path.vertices)
    }


def test_the_contour_lines_are_where_the_function_has_the_values_of_their_levels():
    problem = problems.quadratic([1.0, 25.0])
    found = lines_of_levels(plots.contours(problem))
    assert len(found) > 10
    for level, points in found.items():
        values = 0.5 * (points[:, 0] ** 2 + 25 * points[:, 1] ** 2)
        # The line is straight within a cell of the grid, so small ovals are polygons.
        np.testing.assert_allclose(values, level, rtol=0.1)
        assert np.median(np.abs(values / level - 1)) < 0.03


def test_levels_rise_by_equal_factors_above_a_minimum_that_is_not_zero():
    problem = problems.six_hump_camel()
    heights = np.array(list(lines_of_levels(plots.contours(problem)))) + 1.0316284535
    ratios = heights[1:] / heights[:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)
    assert ratios[0] > 1.2


def test_levels_are_evenly_spaced_where_there_is_no_minimum():
    levels = np.array(list(lines_of_levels(plots.contours(problems.saddle()))))
    np.testing.assert_allclose(np.diff(levels), np.diff(levels)[0])
    assert levels[0] < 0 < levels[-1]


def test_the_floor_of_a_narrow_valley_is_seen():
    levels = list(lines_of_levels(plots.contours(problems.rosenbrock())))
    # The start, far along the floor, is at 4.1, and walls reach 2509.
    assert sum(level < 5 for level in levels) >= 4
    assert sum(level > 100 for level in levels) >= 3


def test_paths_of_runs_and_arrays_are_drawn_point_by_point_and_told_apart_without_colour():
    run = minimize(bowl, np.array([-1.0, 0.5]), sgd(0.1), steps=10)
    ax = plots.contours(bowl, {"run": run, "by hand": SPIRAL}, bounds=BOUNDS)
    first, second = line(ax, "run"), line(ax, "by hand")
    np.testing.assert_array_equal(np.transpose(second.get_data()), SPIRAL)
    expected = [-1, 0.5] * np.array([0.8, 0.2]) ** np.arange(11)[:, None]
    np.testing.assert_allclose(np.transpose(first.get_data()), expected, rtol=1e-4, atol=1e-6)
    assert first.get_marker() != second.get_marker()
    assert to_hex(first.get_color()) != to_hex(second.get_color())
    assert names(ax) == ["run", "by hand", "start"]
    np.testing.assert_allclose(np.transpose(line(ax, "start").get_data()), [[-1, 0.5], [1, 0.5]])
    assert ax.get_xlim() == BOUNDS[0]
    assert ax.get_ylim() == BOUNDS[1]


def test_more_paths_than_markers_differ_in_their_dashes():
    ax = plots.contours(bowl, {str(n): SPIRAL + 0.01 * n for n in range(10)}, bounds=BOUNDS)
    looks = {(line.get_marker(), line.get_linestyle()) for line in ax.lines[:10]}
    assert len(looks) == 10


def test_all_minimisers_in_the_picture_have_a_star_and_the_others_none():
    ax = plots.contours(problems.himmelblau(), bounds=((0, 5), (-5, 5)))
    stars = np.transpose(line(ax, "minimum").get_data())
    known = np.array([[3.0, 2.0], [3.584428, -1.848126]])
    np.testing.assert_allclose(stars[np.argsort(stars[:, 0])], known, atol=1e-5)
    assert line(ax, "minimum").get_marker() == "*"


@pytest.mark.parametrize("surface", [False, True])
def test_every_kind_of_critical_point_has_a_mark_of_its_own(surface):
    ax = plots.contours(problems.styblinski_tang(), surface=surface)
    kinds = {"minimum": 1, "local minimum": 3, "saddle": 4, "maximum": 1}
    assert names(ax) == list(kinds)
    at = {}
    for name, count in kinds.items():
        found = line(ax, name)
        at[name] = np.transpose((found.get_data_3d() if surface else found.get_data())[:2])
        assert len(at[name]) == count
    good, hill, bad = np.sort(np.roots([2, 0, -16, 2.5]))
    expected = np.array([(good, hill), (hill, good), (hill, bad), (bad, hill)])
    found = at["saddle"][np.lexsort(at["saddle"].T[::-1])]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    looks = {(line(ax, name).get_marker(), line(ax, name).get_color()) for name in kinds}
    assert len(looks) == 4


def test_a_path_ends_where_it_is_no_longer_finite():
    path = np.array([[1.0, 0.0], [-5.0, 0.0], [np.inf, 0.0], [1.0, 1.0]])
    ax = plots.contours(bowl, {"diverged": path}, bounds=BOUNDS)
    np.testing.assert_array_equal(np.transpose(line(ax, "diverged").get_data()), path[:2])


def test_a_path_alone_has_no_name():
    ax = plots.contours(bowl, SPIRAL, bounds=BOUNDS)
    assert names(ax) == ["start"]


def test_on_a_surface_a_path_is_at_the_height_of_the_surface():
    ax = plots.contours(problems.saddle(), {"path": [[1, 0], [0, 1], [9, 9]]}, surface=True)
    x, y, height = line(ax, "path").get_data_3d()
    np.testing.assert_array_equal(x, [1, 0, np.nan])
    np.testing.assert_array_equal(y, [0, 1, np.nan])
    ticks = dict(zip((t.get_text() for t in ax.get_zticklabels()), ax.get_zticks(), strict=True))
    np.testing.assert_allclose(height[:2], [ticks["1"], ticks["−1"]], atol=1e-6)


def test_heights_of_a_surface_are_logarithmic_where_there_is_a_minimum():
    ax = plots.contours(problems.rosenbrock(), surface=True)
    assert [text.get_text() for text in ax.get_zticklabels()] == [
        f"$10^{{{decade}}}$" for decade in (1, 2, 3)
    ]
    assert ax.get_zlabel() == "loss above its minimum"


def test_a_level_plane_is_drawn():
    plots.contours(lambda w: 0 * w[0], {"still": [[0, 0]]}, bounds=BOUNDS)


def test_values_that_are_not_finite_leave_a_gap():
    ax = plots.contours(lambda w: jnp.log(w[0]) + w[1] ** 2, bounds=((-1, 1), (-1, 1)))
    points = np.concatenate(list(lines_of_levels(ax).values()))
    assert points[:, 0].min() > 0


@pytest.mark.parametrize("surface", [False, True])
def test_it_draws_on_the_axes_it_is_given_if_they_have_its_dimensions(surface):
    fits = plt.figure().add_subplot(projection="3d" if surface else None)
    other = plt.figure().add_subplot(projection=None if surface else "3d")
    assert plots.contours(bowl, ax=fits, bounds=BOUNDS, surface=surface) is fits
    with pytest.raises(ValueError, match="projection='3d'" if surface else "surface=True"):
        plots.contours(bowl, ax=other, bounds=BOUNDS, surface=surface)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, r"give bounds=\(\(left, right\)"),
        ({"bounds": ((1, -1), (0, 1))}, "rising"),
        ({"bounds": (0, 1)}, "bounds must be"),
        ({"bounds": BOUNDS, "trajectories": {"flat": np.ones(5)}}, r"'flat' .* of shape \(5,\)"),
        ({"bounds": BOUNDS, "trajectories": np.ones((5, 3))}, r"path must .* of shape \(5, 3\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        plots.contours(bowl, **settings)


def test_runs_without_names_are_refused():
    run = minimize(bowl, np.ones(2), sgd(0.1), steps=2)
    with pytest.raises(ValueError, match="trajectories must be one run or a dictionary"):
        plots.contours(bowl, [run, run], bounds=BOUNDS)


def test_a_run_whose_path_was_not_kept_is_refused():
    run = minimize(bowl, np.ones(2), sgd(0.1), steps=2, keep_path=False)
    with pytest.raises(ValueError, match=r"'short' .* was not kept"):
        plots.contours(bowl, {"short": run}, bounds=BOUNDS)


def test_what_is_no_function_of_two_variables_is_refused():
    with pytest.raises(ValueError, match=r"of Rosenbrock.* have the shape \(3,\)"):
        plots.contours(problems.rosenbrock(3))
    with pytest.raises(ValueError, match=r"a number at each point, not an array of shape \(2,\)"):
        plots.contours(lambda w: 2 * w, bounds=BOUNDS)


def test_the_picture_of_a_function_of_ones_own_is_the_window_around_its_paths():
    path = np.array([[30.0, 2.0], [36.0, 5.0], [40.0, 7.0], [np.nan, np.nan]])
    ax = plots.contours(
        lambda w: (w[0] - 40) ** 2 + (w[1] - 7) ** 2, {"run": path, "lost": path[3:]}
    )
    assert 25 < ax.get_xlim()[0] < 30 < 40 < ax.get_xlim()[1] < 45
    assert ax.get_ylim()[0] < 2 < 7 < ax.get_ylim()[1]


def test_the_mark_of_a_start_at_the_edge_of_a_picture_is_whole_and_one_outside_has_none():
    inside, outside = np.array([[-1.0, 0.0], [0.0, 0.0]]), np.array([[-3.0, 0.0], [0.0, 0.0]])
    ax = plots.contours(lambda w: w @ w, {"a": inside, "b": outside}, bounds=((-1, 1), (-1, 1)))
    (start,) = (line for line in ax.lines if line.get_label() == "start")
    assert not start.get_clip_on()
    assert np.transpose(start.get_data()).tolist() == [[-1.0, 0.0]]

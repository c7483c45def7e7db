"""The paths of poles that are known in closed form."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from gdlab import Axis, plots, sgd
from gdlab.analysis import root_locus
from gdlab.plots.analysis.root_locus import branches, crossings

ETAS = np.linspace(0.0, 5.0, 101)
HEAVY_BALL = np.stack([np.roots([1, -(1.5 - eta), 0.5]) for eta in ETAS])


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_branches_are_put_together_again_after_any_shuffle():
    angle = np.linspace(0, 1, 30)
    paths = np.stack([0.9 * np.exp(1j * angle), 0.5 * np.exp(-2j * angle), -0.3 + angle], 1)
    rng = np.random.default_rng(0)
    shuffled = np.stack([paths[0], *(rng.permutation(row) for row in paths[1:])])
    assert np.any(shuffled != paths)
    np.testing.assert_array_equal(branches(shuffled), paths)


def test_poles_are_assigned_jointly_so_that_none_is_taken_twice():
    # The nearest of both is 0.2, and nearer to the second, which all the same has to give it up.
    for following in ([0.2, 1.0], [1.0, 0.2]):
        np.testing.assert_array_equal(branches(np.array([[0.0, 0.3], following]))[1], [0.2, 1.0])


def test_no_step_of_a_branch_is_longer_than_the_poles_move():
    steps = np.abs(np.diff(branches(HEAVY_BALL.astype(complex)), axis=0))
    # Where two poles meet they move like the root of the step in η.
    assert steps.max() < 2 * np.sqrt(0.05)


def test_the_unit_circle_is_passed_where_the_closed_form_says():
    between, where = crossings(ETAS, branches(HEAVY_BALL.astype(complex)).T)
    # 0 < η < 2(1 + β)/λ = 3
    np.testing.assert_allclose(between, [[0, 0], [3, 3]], atol=1e-12)
    np.testing.assert_allclose(where, [1, -1], atol=1e-12)


def test_between_two_values_a_passage_is_known_by_its_ends_alone():
    between, where = crossings(np.array([1.0, 2.0]), np.array([[0.5j, 1.5j], [0.1, 0.2]]))
    np.testing.assert_array_equal(between, [[1, 2]])
    np.testing.assert_allclose(where, [1j])


def test_a_falling_hyperparameter_passes_between_the_same_values():
    between, _ = crossings(np.array([2.0, 1.0]), np.array([[1.5, 0.5]]))
    np.testing.assert_array_equal(between, [[1, 2]])


def test_a_pole_that_stays_on_the_circle_passes_nowhere():
    on_it = np.array([[1.0, 1 - 1e-13, 1 + 1e-13]])
    assert len(crossings(np.arange(3.0), on_it)[0]) == 0


def test_the_paths_the_ends_and_the_passages_are_drawn():
    ax = plots.root_locus(ETAS, HEAVY_BALL, name="learning_rate")
    paths = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert [len(path.get_segments()) for path in paths] == [100, 100]
    np.testing.assert_allclose(paths[0].get_array(), (ETAS[1:] + ETAS[:-1]) / 2)
    assert names(ax) == [
        "learning rate = 0",
        "learning rate = 5",
        "|r| = 1 at learning rate = 0, 3",
    ]
    marks = {line.get_label(): line for line in ax.lines}
    start, end, passed = (marks[name] for name in names(ax))
    assert set(start.get_xdata().round(9)) == {1.0, 0.5}
    np.testing.assert_allclose(sorted(end.get_xdata()), np.sort(np.roots([1, 3.5, 0.5])))
    np.testing.assert_allclose(sorted(passed.get_xdata()), [-1, 1], atol=1e-12)
    assert len({str(line.get_marker()) for line in (start, end, passed)}) == 3


def test_the_colour_bar_stands_beside_the_plane_and_names_the_hyperparameter():
    ax = plots.root_locus([0.0, 1.0], [[0.5], [0.6]], name="weight_decay")
    (beside,) = ax.child_axes
    assert beside.get_ylabel() == "weight decay"
    assert len(names(ax)) == 2


def test_modes_have_branches_of_their_own():
    poles = np.array([[[0.1], [0.2]], [[0.2], [0.1]]])
    ax = plots.root_locus([1.0, 2.0], poles)
    paths = [c.get_segments()[0][:, 0].tolist() for c in ax.collections]
    assert paths == [[0.1, 0.2], [0.2, 0.1]]


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    axis = Axis("learning_rate", np.linspace(0.1, 2.9, 30))
    assert root_locus(sgd(axis, momentum=0.5), 1.0).plot(ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Re r", "Im r")


def test_a_path_needs_two_values_and_poles_for_each():
    with pytest.raises(ValueError, match=r"poles at two values or more.*not \(1,\) and \(1, 1\)"):
        plots.root_locus([1.0], [[0.5]])
    with pytest.raises(ValueError, match=r"not \(2,\) and \(3, 1\)"):
        plots.root_locus([1.0, 2.0], [[0.5], [0.4], [0.3]])

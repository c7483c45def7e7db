"""Answers before and after a shift, against networks whose answers are known."""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import plots, problems


def logits_of_columns():
    """A dense network whose answer is the number of the column with the one bright pixel."""
    problem = problems.dense_network([8], bias=False)
    by_column = np.tile(np.eye(8), (8, 1))
    out = np.zeros((8, 10))
    out[:, :8] = 20 * np.eye(8)
    return problem, {"dense0": {"kernel": by_column}, "out": {"kernel": out}}


def blind():
    """A network that says the same of all images."""
    problem = problems.dense_network([2])
    params = jax.tree.map(np.zeros_like, problem.start)
    return problem, params | {"out": params["out"] | {"bias": np.eye(10)[4]}}


def point(row, column):
    image = np.zeros((8, 8, 1), np.float32)
    image[row, column] = 1
    return image


FEW = np.stack([point(row, 4) for row in (3, 4)]), np.array([4, 4])


def curves(ax):
    return {line.get_label(): np.transpose(line.get_data()) for line in ax.lines}


def bars(ax):
    return [[bar.get_height() for bar in container] for container in ax.containers]


def test_probabilities_follow_the_image_and_those_of_a_blind_network_do_not():
    networks = {"columns": logits_of_columns(), "blind": blind()}
    left, _ = plots.shift_response(networks, point(4, 3), shift=2, data=FEW)
    heights = np.array(bars(left)).reshape(2, 3, 10)
    # By a softmax of 20 against nine zeros.
    np.testing.assert_allclose(heights[0], np.eye(10)[[3, 4, 5]], atol=1e-7)
    answer = np.where(np.arange(10) == 4, np.e, 1) / (9 + np.e)
    np.testing.assert_allclose(heights[1], np.tile(answer, (3, 1)), rtol=1e-6)
    assert {"columns", "blind", "as it is", "1 pixel", "2 pixels"} <= {
        text.get_text() for text in left.texts
    }


def test_bars_are_hatched_where_the_answer_is_another_one_than_before():
    left, _ = plots.shift_response(logits_of_columns(), point(4, 6), shift=3, data=FEW)
    # By three pixels the point has left the image, and zeros give all classes the same.
    assert [bar.patches[0].get_hatch() is None for bar in left.containers] == [
        True,
        False,
        False,
        False,
    ]


def test_images_are_moved_to_the_right():
    left, _ = plots.shift_response(blind(), point(4, 3), shift=2, data=FEW)
    for by, inset in enumerate(left.child_axes):
        np.testing.assert_array_equal(inset.images[0].get_array(), point(4, 3 + by)[..., 0])


def test_the_share_that_is_read_alike_is_that_of_the_shifts_along_columns():
    networks = {"columns": logits_of_columns(), "blind": blind()}
    _, right = plots.shift_response(networks, shift=2, data=FEW)
    found = curves(right)
    # Of eight directions, two leave the column as it is.
    np.testing.assert_allclose(found["columns"], [[0, 1], [1, 0.25], [2, 0.25]])
    np.testing.assert_allclose(found["blind"], [[0, 1], [1, 1], [2, 1]])


def test_networks_differ_in_colour_and_marker():
    _, right = plots.shift_response({str(n): blind() for n in range(3)}, shift=1, data=FEW)
    assert len({line.get_color() for line in right.lines}) == 3
    assert len({line.get_marker() for line in right.lines}) == 3


def test_it_draws_on_the_two_axes_it_is_given():
    _, axes = plt.subplots(1, 2)
    panels = plots.shift_response(blind(), shift=1, data=FEW, ax=axes)
    assert list(panels) == list(axes)


@pytest.mark.parametrize(
    ("networks", "settings", "said"),
    [
        ({"a": problems.booth()}, {}, r"networks of 'a' must be \(problem, parameters\)"),
        ((problems.booth(), np.zeros(2)), {}, "problem: .* is no network"),
        ({}, {}, "networks must be name"),
        (None, {"shift": 0}, "shift must be at least 1, not 0"),
        (None, {"image": np.zeros((7, 7, 1))}, r"image must be of shape \(8, 8, 1\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(networks, settings, said):
    with pytest.raises(ValueError, match=said):
        plots.shift_response(blind() if networks is None else networks, **settings)

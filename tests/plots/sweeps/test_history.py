"""The history of a small population, drawn."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from tests.sweeps.made import made, on_rates


@pytest.fixture
def population():
    """Three members, the second of which goes on from the third at the first rung."""
    coords = {"sample": np.arange(3), "learning_rate": [0.1, 0.2, 0.3], "rung": np.array([5, 15])}
    history = {
        "learning_rate": np.array([[0.1, 0.36, 0.3], [0.1, 0.36, 0.3]]),
        "parent": np.array([[0, 2, 2], [0, 1, 2]]),
    }
    final = [[3.0], [1.0], [2.0]]
    result = made(final, {k: v for k, v in coords.items() if k != "rung"},
                  {"learning_rate": "sample"}, seeds=[0], history=history)  # fmt: skip
    result.coords["rung"] = coords["rung"]
    return result


def test_a_member_steps_at_the_rungs_from_its_first_value(population):
    ax = population.plot_history("learning_rate")
    (lines,) = (c.get_segments() for c in ax.collections if isinstance(c, LineCollection))
    # Worst first, so that the best is on top.
    assert [line[0, 1] for line in lines] == [0.1, 0.3, 0.2]
    x, y = lines[2].T
    np.testing.assert_array_equal(x, [0, 5, 5, 15, 15, 20, 20])
    np.testing.assert_array_equal(y[:5], [0.2, 0.2, 0.36, 0.36, 0.36])
    best = next(line for line in ax.lines if line.get_label() == "best")
    np.testing.assert_array_equal(best.get_xydata(), lines[2])


def test_a_dot_marks_each_copy(population):
    ax = population.plot_history("learning_rate")
    (dots,) = (c for c in ax.collections if not isinstance(c, LineCollection))
    np.testing.assert_array_equal(dots.get_offsets(), [[5, 0.36]])


def test_an_axis_without_history_is_refused(population):
    with pytest.raises(ValueError, match=r"no history of 'b1'; there is that of learning_rate"):
        population.plot_history("b1")
    with pytest.raises(ValueError, match="no history of 'learning_rate': nothing changed"):
        on_rates([[1.0]], [0.1]).plot_history("learning_rate")

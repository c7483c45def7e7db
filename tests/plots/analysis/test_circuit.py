"""A circuit's response beside iterates."""

import matplotlib.pyplot as plt
import numpy as np

from gdlab import sgd
from gdlab.analysis import circuit, linearize


def test_lines_are_the_response_and_marks_the_iterates_of_each_mode():
    tx, curvature = sgd(0.1, momentum=0.8), [1.0, 0.2]
    iterates = linearize(tx, curvature).simulate([1.0, 2.0], 30)
    _, ax = plt.subplots()
    assert circuit(tx, curvature).plot(iterates, ax) is ax
    *lines, first, second, _ = ax.lines
    np.testing.assert_array_equal(first.get_ydata(), iterates[:, 0])
    np.testing.assert_array_equal(second.get_ydata(), iterates[:, 1])
    # Both begin at the start, and are told apart without colour.
    assert [line.get_ydata()[0] for line in lines] == [1.0, 2.0]
    assert lines[0].get_linestyle() != lines[1].get_linestyle()
    assert first.get_marker() != second.get_marker()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["circuit", "iterates"]

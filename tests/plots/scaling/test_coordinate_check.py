"""What is drawn of a coordinate check whose sizes are known."""

import numpy as np

from gdlab.scaling import CoordinateCheck


def test_each_activation_is_a_line_over_width_in_both_panels():
    widths, sizes = np.array([32.0, 64.0]), np.ones((2, 3, 2))
    sizes[:, -1] = [[1.0, 4.0], [2.0, 8.0]]
    check = CoordinateCheck(
        widths=widths, activations={"hidden": sizes}, changes={"hidden": sizes / 2}
    )
    activations, changes = check.plot()
    np.testing.assert_allclose(activations.lines[0].get_ydata(), [2.0, 4.0])
    np.testing.assert_allclose(changes.lines[0].get_ydata(), [1.0, 2.0])
    assert activations.get_title() == "activations, after 2 steps"
    assert [text.get_text() for text in changes.get_legend().get_texts()] == ["hidden"]
    assert [label.get_text() for label in changes.get_xticklabels()] == ["32", "64"]

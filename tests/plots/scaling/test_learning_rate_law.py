"""What is drawn of a learning-rate law whose numbers are known."""

import numpy as np
import pytest

from gdlab.plots.scales import CURVE, DIVERGED
from gdlab.scaling import learning_rate_law
from tests.sweeps.made import made, on_rates

LOGS = np.arange(-9.0, -0.9, 0.5)


def law_of(vertices):
    """A law of widths 64, 128, … with these optima, as logarithms."""
    rng = np.random.default_rng(0)
    results = {}
    for doublings, vertex in enumerate(vertices):
        exponent = 0.2 * (LOGS[:, None] - vertex) ** 2 + 0.01 * rng.normal(size=(len(LOGS), 3))
        results[64 * 2**doublings] = on_rates(np.exp(exponent), 2.0**LOGS)
    return learning_rate_law(results, ["width"])


def test_the_curves_stand_beside_the_law_with_a_mark_at_each_optimum():
    law = law_of([-4.0, -4.5, -5.0])
    curves, powers = law.plot()
    marks = [line for line in curves.lines if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in marks] == [one.rate for one in law.optima]
    names = [text.get_text() for text in curves.get_legend().get_texts()]
    assert names == ["64", "128", "256"]
    points = [line for line in powers.lines if line.get_marker() == "o"]
    assert [line.get_color() for line in points] == [CURVE] * 3
    assert [label.get_text() for label in powers.get_xticklabels()] == ["64", "128", "256"]


def test_what_is_extrapolated_is_a_broken_line_of_its_own():
    powers = law_of([-4.0, -4.5, -5.0]).plot()[1]
    (solid,) = [line for line in powers.lines if line.get_label().startswith("power law, exponent")]
    broken = [line for line in powers.lines if line.get_linestyle() == "--"]
    assert (min(solid.get_xdata()), max(solid.get_xdata())) == pytest.approx((64, 256))
    assert max(broken[1].get_xdata()) == pytest.approx(512)
    assert broken[1].get_label() == "extrapolated"


def test_an_optimum_beyond_the_range_is_crossed_out():
    law = law_of([-4.0, -4.5, -12.0])
    curves, powers = law.plot()
    (cross,) = [line for line in powers.lines if line.get_marker() == "X"]
    assert (cross.get_xdata()[0], cross.get_color()) == (256.0, DIVERGED)
    assert any(line.get_marker() == "X" for line in curves.lines)


def test_a_law_of_several_sizes_has_no_picture():
    losses = np.exp(0.2 * (LOGS + 4) ** 2)
    table = np.broadcast_to(losses[None, None, :, None], (2, 2, len(LOGS), 2))
    coords = {"width": [1, 2], "tokens": [1, 2], "learning_rate": 2.0**LOGS}
    with pytest.raises(ValueError, match="a picture shows one size, and the law has width, tokens"):
        learning_rate_law(made(table, coords)).plot()

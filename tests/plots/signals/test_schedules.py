"""Schedules as they are drawn."""

import numpy as np
import optax
import pytest

from gdlab import constant_schedule, linear_schedule, piecewise_constant_schedule, plots


def test_every_step_is_drawn_the_last_one_included():
    ax = linear_schedule(1.0, 0.0, 8).plot(10)
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), np.arange(11))
    np.testing.assert_array_equal(line.get_ydata(), [*np.linspace(1, 0, 9), 0, 0])
    assert ax.get_legend() is None
    assert line.get_marker() == "o"


def test_several_have_a_legend_and_a_function_of_ones_own_may_be_among_them():
    etas = {"ours": constant_schedule(0.5), "optax": optax.linear_schedule(1.0, 0.0, 100)}
    ax = plots.schedules(etas, 100)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ours", "optax"]
    assert ax.lines[1].get_ydata()[50] == 0.5


def test_of_very_many_steps_as_many_are_drawn_as_can_be_seen():
    (line,) = piecewise_constant_schedule(1.0, {500_000: 0.5}).plot(1_000_000).lines
    assert len(line.get_xdata()) == 2000
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (0, 1_000_000)


def test_they_are_drawn_on_given_axes():
    given = linear_schedule(1.0, 0.0, 8).plot(10)
    assert constant_schedule(1.0).plot(10, ax=given) is given
    assert len(given.lines) == 2


def test_a_picture_of_no_step_is_refused():
    with pytest.raises(ValueError, match="steps must be a whole number between 1 and"):
        constant_schedule(1.0).plot(0)

"""How often a picture of what is known so far is drawn."""

import pytest

from gdlab.progress import redraw
from gdlab.progress.redraw import Redraw


@pytest.fixture
def clock(monkeypatch):
    """A list whose last element is the time in seconds."""
    times = [100.0]
    monkeypatch.setattr(redraw.time, "perf_counter", lambda: times[-1])
    return times


def test_a_picture_is_drawn_once_in_two_seconds_and_not_at_each_call(clock):
    drawn = []
    picture = Redraw(drawn.append, lambda: clock[-1])
    for tenth in range(1, 61):
        clock.append(100 + tenth / 10)
        picture.if_due()
    assert drawn == pytest.approx([102.1, 104.2])


def test_the_two_seconds_begin_when_a_picture_has_been_drawn(clock):
    drawn = []

    def slow(result):
        drawn.append(result)
        clock.append(clock[-1] + 10)

    picture = Redraw(slow, lambda: clock[-1])
    clock.append(103.0)
    picture.if_due()
    for later in (0.5, 1.0, 0.4):
        clock.append(clock[-1] + later)
        picture.if_due()
    assert drawn == [103.0]
    picture.show("the last one")
    assert drawn == [103.0, "the last one"]


def test_nothing_is_asked_for_where_nothing_is_drawn(clock):
    picture = Redraw(None, lambda: pytest.fail("a snapshot that nobody sees"))
    clock.append(1000.0)
    assert not picture.is_due
    picture.if_due()
    picture.show("unseen")

"""The bar of a sweep as a terminal shows it."""

import io
import re

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    Checkpointing,
    Hyperband,
    Resources,
    Stopping,
    SuccessiveHalving,
    adam,
    sgd,
    sweep,
)
from gdlab.progress import bar as bars
from gdlab.progress import call_length, redraw
from gdlab.progress.bar import Bar
from tests.sweeps.counting import counted_bars

RATES = Axis("learning_rate", np.linspace(0.1, 1.2, 12))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """What 80 columns show, each time the bar is drawn, which is at every call."""
    shown = Terminal()
    of_terminal = {"file": shown, "ncols": 80, "ascii": False, "mininterval": 0}
    monkeypatch.setattr(bars, "LOOK", bars.LOOK | of_terminal)
    return shown


def frames(terminal):
    return [frame.strip() for frame in terminal.getvalue().split("\r") if frame.strip()]


def quadratic(w):
    return 0.5 * jnp.sum(w**2)


def swept(**arguments):
    tx = arguments.pop("tx", sgd(RATES))
    return sweep(quadratic, jnp.ones(2), tx, **{"steps": 40} | arguments)


def test_the_bar_shows_lanes_alive_the_best_loss_speed_and_time_left(terminal):
    swept(tx=sgd(Axis("learning_rate", [0.5, 5.0, 1.5])), steps=100)
    last = frames(terminal)[-1]
    assert re.fullmatch(
        r"sweep: 100%\|█+\| 00:00 left, \S+ steps/s, 2/3 lanes alive, best \S+", last
    ), last
    # Gradient descent halves w at each step, until it underflows.
    assert float(last.split("best ")[1]) < 1e-30


def test_a_line_fits_into_80_columns_and_leaves_room_for_the_bar(terminal):
    swept(tx={"momentum": sgd(RATES, momentum=0.9)}, seeds=4)
    shown = frames(terminal)
    assert all(len(frame) <= 80 for frame in shown)
    # A speed takes three to five columns, and a bar of four is seen to move.
    assert len(re.search(r"\|(.*?)\|", shown[-1])[1]) >= 4


def test_the_bar_is_gone_when_the_sweep_is_over(terminal):
    swept()
    assert not terminal.getvalue().split("\r")[-1].strip()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"resources": Resources(lane_chunk=5), "seeds": 2},
        {"policy": SuccessiveHalving(factor=2, rungs=[5, 10, 20])},
        {"policy": SuccessiveHalving(factor=3, rungs=[7]), "resources": Resources(lane_chunk=4)},
        {"policy": Hyperband(factor=3, least_steps=4)},
        {"tx": {"one": sgd(RATES), "other": adam(RATES)}},
        {"stopping": Stopping({"loss": 1e-3})},
        {"tx": sgd(Axis("learning_rate", [50.0, 80.0]))},
    ],
    ids=["plain", "chunks", "halving", "halving in chunks", "hyperband", "two", "targets", "dead"],
)
def test_the_bar_ends_at_100_percent(terminal, arguments):
    swept(**arguments)
    percentages = [int(re.search(r"(\d+)%", frame)[1]) for frame in frames(terminal)]
    assert percentages[0] == 0
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
    assert percentages.count(100) < len(percentages) / 2


def test_a_bar_that_goes_on_from_a_checkpoint_ends_at_100_percent_as_well(
    terminal, tmp_path, monkeypatch
):
    def interrupted(result):
        raise KeyboardInterrupt

    arguments = {
        "checkpoint": Checkpointing(tmp_path / "run", seconds_between_saves=0.0),
        "resources": Resources(lane_chunk=4),
    }
    with monkeypatch.context() as patch:
        patch.setattr(redraw, "SECONDS_BETWEEN_PICTURES", 0.0)
        with pytest.raises(KeyboardInterrupt):
            swept(live=interrupted, **arguments)
    terminal.truncate(0)
    swept(**arguments)
    assert "100%" in frames(terminal)[-1]


def test_a_bar_that_goes_on_in_the_midst_of_a_later_rung_counts_each_step_once(
    terminal, tmp_path, monkeypatch
):
    def interrupted(result):
        drawn.append(result)
        if len(drawn) == 4:
            raise KeyboardInterrupt

    drawn = []
    arguments = {
        "policy": SuccessiveHalving(factor=2, rungs=[7]),
        "checkpoint": Checkpointing(tmp_path / "run", seconds_between_saves=0.0),
    }
    # Calls of five steps end at 5, 7, 12 and 17 steps, and the last of these is interrupted.
    monkeypatch.setattr(call_length, "FIRST_STEPS", 5)
    monkeypatch.setattr(call_length.CallLength, "keep", lambda *_: None)
    with counted_bars() as bars_made:
        with monkeypatch.context() as patch:
            patch.setattr(redraw, "SECONDS_BETWEEN_PICTURES", 0.0)
            with pytest.raises(KeyboardInterrupt):
                swept(live=interrupted, **arguments)
        swept(**arguments)
    first, second = bars_made
    assert first.advanced_steps == second.found_steps == 12 * 7 + 6 * 10
    # Half of twelve lanes end after 7 evaluations, and the others after 40 steps with one more.
    assert second.needed_steps == 6 * 7 + 6 * 41
    assert second.found_steps + second.advanced_steps == second.needed_steps


def test_steps_that_were_found_say_nothing_of_the_speed(terminal):
    with Bar(10**9) as bar:
        bar.found(10**9 - 20)
        bar.advanced("", 10)
        bar.advanced("", 10)
    *_, last = frames(terminal)
    assert "100%" in last
    speed = re.search(r"left, (\S+) steps/s", last)[1]
    # A number in thousands, at most: millions would be those that were found.
    assert re.fullmatch(r"[\d.]+k?", speed)


@pytest.mark.parametrize("progress", [True, False])
def test_there_is_no_bar_where_the_output_is_not_a_terminal_or_none_is_wanted(
    capsys, terminal, monkeypatch, progress
):
    if progress:
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    swept(progress=progress)
    assert not terminal.getvalue()
    assert capsys.readouterr() == ("", "")

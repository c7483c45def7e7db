"""Ctrl-C: a real SIGINT, at moments at which it could do harm."""

import json
import os
import signal
import threading
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, Resources, adam, sweep
from gdlab.sweeps.compiled import programs
from tests.sweeps.processes import started

STEPS = 40


def squared_norm(w):
    return jnp.sum(w**2)


def swept(**more):
    rates = Axis("learning_rate", [0.01, 0.02, 0.05, 0.1])
    return sweep(squared_norm, jnp.ones(3), adam(rates), steps=STEPS, keep_params="all", **more)


class Steps(NamedTuple):
    """The steps of a call."""

    begin: int
    end: int


@pytest.fixture
def at(monkeypatch):
    """Do something before or after those calls of the program that takes steps that are meant."""
    program = programs.advance

    def at(is_meant, before=lambda: None, after=lambda: None):
        calls = []

        def advance(*args):
            _, state, _, inputs = args
            if isinstance(state.lanes.status, jax.core.Tracer):
                return program(*args)  # It is only traced.
            calls.append(Steps(inputs.begin, inputs.end))
            meant = is_meant(calls)
            if meant:
                before()
            carry = program(*args)
            if meant:
                after()
            return carry

        advance.lower, advance.trace = program.lower, program.trace
        monkeypatch.setattr(programs, "advance", advance)
        return calls

    return at


def second(calls):
    return len(calls) == 2


def of_second_group(calls):
    return [steps.begin for steps in calls].count(0) == 2


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def twice():
    interrupt()
    interrupt()
    time.sleep(60)


def test_what_was_computed_before_ctrl_c_is_in_the_exception(at):
    expected = swept()
    at(second, interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        swept()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    result = raised.value.result
    assert (result.status == "unfinished").all()
    known = np.isfinite(result.loss)
    count = known[0, 0].sum()
    assert 0 < count < STEPS
    assert known[..., :count].all()
    assert not known[..., count:].any()
    np.testing.assert_array_equal(result.loss[..., :count], expected.loss[..., :count])
    best = result.best()
    assert best["loss_so_far"] == result.loss[..., count - 1].min()
    result.optimizer_at(best)


def test_after_ctrl_c_the_same_call_goes_on_where_it_was(at, tmp_path):
    """Though nothing is saved in between as long as all is well."""
    expected = swept()
    before = at(second, interrupt)
    with pytest.raises(KeyboardInterrupt):
        swept(checkpoint=tmp_path)
    after = at(lambda calls: False)
    result = swept(checkpoint=tmp_path)
    assert before[-1].end == after[0].begin < STEPS
    np.testing.assert_array_equal(result.loss, expected.loss)
    np.testing.assert_array_equal(result.params, expected.params)


def test_a_second_ctrl_c_does_not_wait(at):
    waited = []

    def wait_after_both():
        twice()
        waited.append(True)

    at(second, wait_after_both)
    with pytest.raises(KeyboardInterrupt) as raised:
        swept()
    assert waited == []
    assert np.isfinite(raised.value.result.loss[..., 0]).all()


def test_lanes_whose_arrays_a_second_ctrl_c_left_behind_are_lost_and_no_others(at, tmp_path):
    """The program reuses the arrays it is given, so that they are gone before it returns."""
    expected = swept(resources=Resources(lane_chunk=2))
    at(of_second_group, after=twice)
    with pytest.raises(KeyboardInterrupt) as raised:
        swept(resources=Resources(lane_chunk=2), checkpoint=tmp_path)
    result = raised.value.result
    assert result.status[:, 0].tolist() == ["ok", "ok", "not run", "not run"]
    np.testing.assert_array_equal(result.loss[:2], expected.loss[:2])
    at(lambda calls: False)
    result = swept(resources=Resources(lane_chunk=2), checkpoint=tmp_path)
    np.testing.assert_array_equal(result.loss, expected.loss)


def test_a_handler_of_ones_own_stays_in_charge(at):
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        at(second, interrupt)
        result = swept()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [True]
    assert (result.status == "ok").all()


def test_a_sweep_in_another_thread_leaves_the_signals_alone(at):
    handlers, results = [], []
    at(second, lambda: handlers.append(signal.getsignal(signal.SIGINT)))
    thread = threading.Thread(target=lambda: results.append(swept()))
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
    assert (results[0].status == "ok").all()


def test_ctrl_c_ends_a_long_sweep_in_a_process_of_its_own(tmp_path):
    folder = tmp_path / "folder"
    with started("interrupted.py", folder) as process:
        # One that never saves is killed in the end, and is no longer there.
        while not list(folder.glob("units/*halfway.*")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = json.loads(process.stdout.read())
        assert process.wait() == 0
    assert said["status"] == ["unfinished", "unfinished"]
    assert said["first"] == pytest.approx(3 * np.sin(1.0) ** 2)

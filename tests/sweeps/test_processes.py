"""Sweeps that two processes share, of two devices each, against one process alone."""

import contextlib
import socket

import numpy as np
import pytest

from tests.sweeps.processes import kill_at, started
from tests.sweeps.scripts import shared


@contextlib.contextmanager
def pair(folder, full_at, *names):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with contextlib.ExitStack() as stack:
        start = lambda number: started("shared.py", number, 2, port, folder, full_at, *names)  # noqa: E731
        yield [stack.enter_context(start(number)) for number in range(2)]


def lane_steps(process):
    """Name and way of a sweep → the steps that a process took all its lanes along."""
    lines = [line.split() for line in process.stdout if line.startswith("done")]
    assert process.wait() == 0
    return {(name, way): int(steps) for _, name, way, steps in lines}


def require_equal(found, expected, equal):
    assert list(found) == list(expected)
    for name, array in expected.items():
        equal(found[name], array, err_msg=name)


def close(found, expected, **more):
    if np.issubdtype(expected.dtype, np.inexact):
        # Some dozens of steps, each with a rounding or two.
        np.testing.assert_allclose(found, expected, rtol=5e-5, atol=1e-7, **more)
    else:
        np.testing.assert_array_equal(found, expected, **more)


@pytest.mark.slow
def test_two_processes_come_to_the_result_of_one_whatever_befell_them(tmp_path):
    """One could not save any more in the second of three stages, and later both were killed."""
    with pair(tmp_path, 6, "population", "chunks") as processes:
        # Process 0 saves nine units of the population, and ten of the chunks up to the first rung.
        kill_at(processes[0], 21)
        processes[1].kill()
    with pair(tmp_path, 0, *shared.CASES) as processes:
        steps = [lane_steps(process) for process in processes]
    for name in shared.CASES:
        alone = shared.arrays_of(shared.run(name))
        total = 0
        for number in range(2):
            saved, unsaved = (
                np.load(tmp_path / f"{name}.{way}.{number}.npz") for way in ("saved", "unsaved")
            )
            require_equal(dict(unsaved), alone, close)
            require_equal(dict(saved), dict(unsaved), np.testing.assert_array_equal)
            taken, all_steps = steps[number][name, "saved"], steps[number][name, "unsaved"]
            assert taken == all_steps if name == "halving" else taken < all_steps
            total += all_steps
        # Each computes its own lanes and no others: the evaluations count the steps of all.
        assert total == alone["['evaluations']"].sum()

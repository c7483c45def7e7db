"""Sweeps that two processes share, of two devices each, against one process alone."""

import contextlib
import importlib.util
import socket

import numpy as np
import pytest

from tests.sweeps.noisy import arrays_of
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
    for _, name, way, steps, expected in lines:
        assert steps == expected, f"the bar of {name}, {way}, ends at {steps} of {expected} steps"
    return {(name, way): int(steps) for _, name, way, steps, _ in lines}


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


SLURM_PORTS = 61440, 65535
"""JAX takes the port of the first node from this range, by the number of the job."""


def number_of_job():
    """The number of a job whose port is free."""
    for port in range(*SLURM_PORTS):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("localhost", port))
            return port - SLURM_PORTS[0]
    raise AssertionError("no port is free")


@pytest.mark.slow
def test_processes_that_slurm_starts_find_each_other_and_come_to_the_result_of_one(tmp_path):
    """What ``srun --ntasks=2`` sets is all that they are given."""
    of_all = {
        "SLURM_JOB_ID": str(number_of_job()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_NTASKS": "2",
    }
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                started(
                    "srun.py",
                    tmp_path,
                    environment=of_all | {"SLURM_PROCID": number, "SLURM_LOCALID": number},
                )
            )
            for number in "01"
        ]
        said = [process.stdout.read() for process in processes]
        assert [process.wait() for process in processes] == [0, 0]
    assert all("processes 2 devices 4" in text for text in said)
    require_that_of_one_process(tmp_path)
    parts = sorted(path.name for path in (tmp_path / "checkpoint").iterdir() if path.is_dir())
    assert parts == ["process-0-of-2", "process-1-of-2"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray")
def test_workers_of_ray_come_to_the_result_of_one_process(tmp_path):
    with started("ray_workers.py", tmp_path) as process:
        said = process.stdout.read()
        assert process.wait() == 0
    assert said.count("processes 2 devices 4") == 2
    require_that_of_one_process(tmp_path)


def require_that_of_one_process(folder):
    """Both processes have returned the whole result, and it is that of one."""
    alone = arrays_of(shared.run("halving"))
    one, other = (dict(np.load(folder / f"{number}.npz")) for number in range(2))
    require_equal(one, alone, close)
    require_equal(other, one, np.testing.assert_array_equal)


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
        alone = arrays_of(shared.run(name))
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

"""Worker processes of loaders end with the run that reads them."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
SCRIPT = pathlib.Path(__file__).parent / "scripts" / "workers.py"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "left"), [("torch", 0), ("grain", 0), ("persistent", 1)])
def test_workers_end_with_the_run_unless_they_are_asked_to_stay(kind, left):
    pytest.importorskip("grain" if kind == "grain" else "torch")
    env = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), kind]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=240)
    assert done.returncode == 0, done.stderr
    # While it trains there is one; a sweep of two optimizers has the same losses.
    assert done.stdout.splitlines() == [f"1 {left}", "0.0", str(left)]

"""Python processes that do not outlive a test."""

import contextlib
import os
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = pathlib.Path(__file__).parent / "scripts"
LONGEST = 240
"""So many seconds after its start a process is killed, whatever it does."""


@contextlib.contextmanager
def started(script, *args, environment=None):
    """A script of this folder in a process of its own, with some variables of its environment."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": paths} | (environment or {})
    command = [sys.executable, str(SCRIPTS / script), *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        alarm = threading.Timer(LONGEST, process.kill)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def kill_at(process, number, delay=0.0):
    """Kill a process at the save of a number, or so many seconds after it begins."""
    saves = 0
    for line in process.stdout:
        saves += line.startswith("saving")
        if saves == number:
            time.sleep(delay)
            process.kill()
            break
    # Otherwise it has come to its end before that.
    assert process.wait() == -9

"""Contenders in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .timing import Sample, Turn

ENTRY = Path(__file__).parent.parent / "run.py"

APART = {
    "JAX_ENABLE_COMPILATION_CACHE": "false",  # a compilation found on disk would not be measured
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # on a GPU, so that several processes have room
}
"""Variables of all processes that measure."""


def in_fresh_process(
    task: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Any:
    """Return what a function returns in a new Python process.

    What a process does only once, such as tracing and compiling, is measured so.

    Args:
        task: ``"module:function"``, the module below ``bench``; it returns what JSON can hold.
        *arguments: strings for it.
        environment: variables of that process besides those of this one.
    """
    variables = os.environ | APART | dict(environment or {})
    command = [sys.executable, str(ENTRY), "--task", task, *arguments]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def worker(task: str, *arguments: str) -> Iterator[Turn]:
    """A turn in another process, whose threads sleep during the turns of other contenders.

    Args:
        task: ``"module:function"``, the module below ``bench``; it returns a turn.
        *arguments: strings for it.
    """
    command = [sys.executable, str(ENTRY), "--worker", task, *arguments]
    # OpenMP's threads would otherwise wait for work at full speed.
    variables = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    with subprocess.Popen(
        command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def turn() -> Sample:
            print("turn", file=process.stdin, flush=True)
            answer = process.stdout.readline()
            if not answer:
                raise RuntimeError(f"the process of {task} {' '.join(arguments)} has ended")
            return Sample(*json.loads(answer))

        try:
            yield turn
        finally:
            process.stdin.close()


def serve(turn: Turn) -> None:
    """Take a turn for each line of the input, and write its seconds; the side of the worker."""
    for _ in sys.stdin:
        print(json.dumps(turn()), flush=True)

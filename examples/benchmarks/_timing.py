"""Fair ratios on a busy machine: contenders take turns, and medians are compared.

Absolute times drift with whatever else runs; the ratio of two medians taken turn by turn hardly
does. What a process does only once (tracing, compiling) is repeated in fresh processes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import jax

Seconds = dict[str, float]


def options(description: str) -> argparse.Namespace:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few repetitions, for a smoke test")
    parser.add_argument("--once", metavar="CONTENDER", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_turns(contenders: dict[str, Callable[[], Any]], rounds: int, calls: int = 1) -> Seconds:
    """The median wall time of a call of each contender, which take turns."""
    for call in contenders.values():
        call()  # the first call may compile
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            for _ in range(calls):
                call()
            times[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(taken) for name, taken in times.items()}


def in_fresh_processes(names: Iterable[str], rounds: int) -> dict[str, Seconds]:
    """The medians of what this script reports with ``--once NAME``, in a new process each time."""
    names = list(names)
    measured: dict[str, list[Seconds]] = {name: [] for name in names}
    # A compilation found on disk would not be measured.
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    for _ in range(rounds):
        for name in names:
            command = [sys.executable, sys.argv[0], "--once", name]
            done = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            measured[name].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: {what: statistics.median(run[what] for run in runs) for what in runs[0]}
        for name, runs in measured.items()
    }


def duration(call: Callable[[], Any]) -> float:
    """The wall time until all that ``call`` returns has been computed."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


class CpuTime:
    """A stopwatch of the processor time of this process, all its threads together.

    Unlike wall time it does not count what other processes do.
    """

    def __enter__(self) -> "CpuTime":
        self._start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._start


def print_table(rows: Iterable[tuple[str, float, float, float | None]]) -> None:
    """Print rows ``(what, gdlab, optax, target)``, in seconds, and the ratio of each."""
    print(f"{'':<34}{'gdlab':>10}{'optax':>10}{'ratio':>8}{'at most':>9}")
    for what, ours, theirs, target in rows:
        limit = "" if target is None else f"{target:g}"
        print(f"{what:<34}{_text(ours):>10}{_text(theirs):>10}{ours / theirs:>8.2f}{limit:>9}")


def _text(seconds: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"

"""Run all works one after the other, each in its own process, and show and save the figures."""

import argparse
import importlib
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from .files import Run, figure_of, write_run
from .machine import describe_versions, flags, load
from .processes import in_fresh_process
from .table import text_table
from .timing import Effort
from .works import WORKS, Work


def measure_all(given: argparse.Namespace) -> None:
    """Measure the works that were asked for, print the table, and save the figures if wanted."""
    names = given.only or list(WORKS)
    start, load_before = datetime.now(UTC), load()
    versions = describe_versions()  # before others can change the checkout
    works = {}
    effort = "quick" if given.quick else "full"
    for name in _with_progress(names):
        environment = WORKS[name].environment
        found = in_fresh_process("command:measure_one", name, effort, environment=environment)
        works[name] = tuple(map(figure_of, found))
    run = Run(
        date=start.isoformat(timespec="seconds"),
        quick=given.quick,
        note=given.note,
        machine=in_fresh_process("machine:describe_machine")
        | {"load_before": load_before, "load_after": load()},
        versions=versions,
        flags=flags(),
        works=works,
    )
    print(text_table(run))
    if given.save:
        print(f"saved as {write_run(run, given.folder)}")


def measure_one(name: str, effort: str) -> list[dict]:
    """The figures of one work, as JSON holds them; called in the process of that work."""
    work: Work = WORKS[name]
    module = importlib.import_module(f".works.{work.module}", __package__)
    return list(map(asdict, getattr(module, work.function)(Effort(effort == "quick"))))


def _with_progress(names: list[str]) -> Iterator[str]:
    """Yield the names one by one, and show the current one on the standard error."""
    try:
        from tqdm import tqdm
    except ImportError:
        for number, name in enumerate(names, 1):
            print(f"[{number}/{len(names)}] {WORKS[name].title}", file=sys.stderr, flush=True)
            yield name
        return
    bar = tqdm(names, bar_format="{desc:<44.44} {n}/{total} |{bar}| {elapsed}<{remaining}")
    for name in bar:
        bar.set_description_str(WORKS[name].title)
        yield name

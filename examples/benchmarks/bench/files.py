"""The file of a run of the benchmarks, written as a whole or not at all, and its reader.

A file is one JSON object:

``schema``
    The version of this description, 1.
``date``
    When the run began, in UTC (ISO 8601).
``quick``
    Whether it was a smoke test of few repetitions and small arrays.
``note``
    What a reader should know about the run, such as what else the machine was doing.
``machine``
    ``cpu``, ``cores``, ``caches`` (bytes by name), ``memory`` (bytes), ``system``, ``device`` (what
    JAX computes on), and the load averages of the last minute ``load_before`` and ``load_after``.
``versions``
    Those of ``python``, ``jax``, ``jaxlib``, ``numpy``, ``optax``, ``torch`` and ``gdlab``
    (``null`` where one is not installed), and gdlab's ``commit``, which ends in ``+`` if files
    under ``gdlab`` differed from it.
``flags``
    The environment variables that bear on speed, where they were set.
``works``
    By the name of the work a list of figures, each with the fields of `Figure`.
"""

import dataclasses
import json
import math
import os
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from .figures import UNITS, Figure
from .works import WORKS

SCHEMA = 1
MACHINE = frozenset(
    ("cpu", "cores", "caches", "memory", "system", "device", "load_before", "load_after")
)
VERSIONS = frozenset(("python", "jax", "jaxlib", "numpy", "optax", "torch", "gdlab", "commit"))
FIELDS = tuple(field.name for field in dataclasses.fields(Figure))


class Run(NamedTuple):
    """One run of the benchmarks. The module's docstring tells what the fields hold."""

    date: str
    quick: bool
    note: str
    machine: dict[str, Any]
    versions: dict[str, str | None]
    flags: dict[str, str]
    works: dict[str, tuple[Figure, ...]]


def write_run(run: Run, folder: Path) -> Path:
    """Write the file of a run, named after its date, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.date[:19].replace(':', '')}.json"
    beside = folder / f".{uuid.uuid4().hex}"
    works = {name: list(map(dataclasses.asdict, figures)) for name, figures in run.works.items()}
    beside.write_text(
        json.dumps({"schema": SCHEMA, **run._asdict(), "works": works}, indent=1, allow_nan=False)
        + "\n",
        encoding="utf-8",
    )
    os.replace(beside, path)
    return path


def read_run(path: Path) -> Run:
    """Read the file of a run.

    Raises:
        ValueError: if the file is damaged or holds what this reader does not know, naming both.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        return _run(content)
    except (ValueError, TypeError) as error:  # JSONDecodeError is a ValueError
        raise ValueError(f"{path.name} is no run of the benchmarks: {error}") from error


def read_runs(folder: Path) -> list[Run]:
    """Read all runs in a folder, the oldest first."""
    return sorted(map(read_run, folder.glob("*.json")), key=lambda run: run.date)


def _run(content: Any) -> Run:
    _require_keys("the file", content, frozenset(("schema", *Run._fields)))
    if content["schema"] != SCHEMA:
        raise ValueError(f"its schema is {content['schema']!r}, and this reader knows {SCHEMA}")
    _require_keys("machine", content["machine"], MACHINE)
    _require_keys("versions", content["versions"], VERSIONS)
    if not isinstance(content["works"], dict):
        raise ValueError("works is not an object")
    unknown = sorted(set(content["works"]) - set(WORKS))
    if unknown:
        raise ValueError(f"there is no work {', '.join(unknown)}; there are {', '.join(WORKS)}")
    works = {
        name: tuple(figure_of(each, f"works.{name}[{index}]") for index, each in enumerate(figures))
        for name, figures in content["works"].items()
    }
    return Run(**{name: content[name] for name in Run._fields} | {"works": works})


def figure_of(content: Any, place: str = "a figure") -> Figure:
    """Read a figure from what JSON holds of it; `place` is where it stands.

    Raises:
        ValueError: if it is damaged or holds what this reader does not know.
    """
    _require_keys(place, content, frozenset(FIELDS))
    if content["measure"] not in UNITS:
        raise ValueError(f"{place}.measure is {content['measure']!r}, not one of {sorted(UNITS)}")
    quartiles = content["quartiles"]
    numbers = {"value": content["value"], "target": content["target"]}
    numbers |= dict(zip(("lower quartile", "upper quartile"), quartiles or (), strict=False))
    for name, number in numbers.items():
        if name == "target" and number is None:
            continue
        if not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError(f"{place}: {name} is {number!r}, not a finite number")
    if quartiles is not None:
        if len(quartiles) != 2:
            raise ValueError(f"{place}.quartiles are {quartiles!r}, not two numbers")
        content = content | {"quartiles": tuple(quartiles)}
    return Figure(**content)


def _require_keys(place: str, content: Any, expected: frozenset[str]) -> None:
    if not isinstance(content, dict):
        raise ValueError(f"{place} is not an object but {content!r:.60}")
    for said, names in (("lacks", expected - set(content)), ("has also", set(content) - expected)):
        if names:
            raise ValueError(f"{place} {said} {', '.join(sorted(names))}")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")

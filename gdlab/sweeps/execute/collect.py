"""The combination of the results of several runs into one labelled result."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from gdlab.sweeps.execute.run import SweepRun
from gdlab.sweeps.execute.run_result import result_of
from gdlab.sweeps.plan.cells import Cell
from gdlab.sweeps.plan.sweep_call import SweepCall
from gdlab.sweeps.results.combining.by_label import ByLabel, label_of
from gdlab.sweeps.results.combining.merging import stacked
from gdlab.sweeps.results.combining.steps import with_steps_of_all
from gdlab.sweeps.results.result import SweepResult


def collected(runs: list[SweepRun], call: SweepCall) -> Any:
    """The result of a sweep so far.

    Args:
        runs: the runs that have begun.
        call: the call of :func:`gdlab.sweep`.

    Returns:
        A result with the dimensions ``problem`` and ``optimizer`` where there are several, or a
        dictionary of results where their axes differ, nested if problems and optimizers both do;
        None if there are no results yet.
    """
    begun = [run for run in runs if run.tables.records is not None]
    return _combined(begun, list(begun[0].planned.place), call) if begun else None


def _combined(runs: list[SweepRun], dimensions: list[str], call: SweepCall) -> Any:
    """The results of some runs, combined along these dimensions, the outermost first."""
    if not dimensions:
        return result_of(runs[0], call)
    dimension, *inner = dimensions
    parts: dict[Any, list[SweepRun]] = {}
    for run in runs:
        parts.setdefault(run.planned.place[dimension], []).append(run)
    cells = [part[0].planned.cell for part in parts.values()]
    results = {
        label: _combined(part, inner, _call_of(dimension, label, part[0].planned.cell, call))
        for label, part in parts.items()
    }
    if any(not isinstance(result, SweepResult) for result in results.values()):
        return results
    one = stacked(dimension, dict(zip(results, with_steps_of_all(results.values()), strict=True)))
    if one is None:
        return results
    along = [name for name, other in cells[0].along.items() if other == dimension]
    if not along:
        return dataclasses.replace(one, recipe=call)
    coords = {name: np.asarray([cell.labels[name] for cell in cells]) for name in along}
    return dataclasses.replace(
        one,
        coords=one.coords | coords,
        axes=dict.fromkeys(along, dimension) | one.axes,
        recipe=call,
        **_kept_by_label(dimension, along, cells, list(results.values()), one),
    )


def _kept_by_label(
    dimension: str,
    along: list[str],
    cells: list[Cell],
    results: list[SweepResult],
    one: SweepResult,
) -> dict[str, Any]:
    """The optimizers and the parameters that differ along a dimension, by label.

    Args:
        dimension: the name of the dimension.
        along: the names of the axes that lie along the dimension.
        cells: the cell of each result.
        results: the results along the dimension.
        one: the combined result, without the parameters whose shapes differ.
    """
    labels = [label_of([cell.labels[name] for name in along]) for cell in cells]

    def by_label(parts: Iterable[Any]) -> ByLabel:
        return ByLabel(dimension, tuple(along), dict(zip(labels, parts, strict=True)))

    changed: dict[str, Any] = {}
    if len({repr(result.optimizers) for result in results}) > 1:
        columns = zip(*(result.optimizers for result in results), strict=True)
        changed["optimizers"] = tuple(map(by_label, columns))
    first = results[0].params_dims
    if one.kept is None and first and all(result.params_dims == first for result in results):
        changed["kept"] = by_label(result.kept for result in results)
        changed["params_dims"] = first
    return changed


def _call_of(dimension: str, label: Any, cell: Cell, call: SweepCall) -> SweepCall:
    """The part of a call that made one of the results along a dimension."""
    if dimension not in cell.place:
        return call.only(**{dimension: label})
    along = [name for name, other in cell.along.items() if other == dimension]
    return call.at({name: [cell.labels[name]] for name in along})

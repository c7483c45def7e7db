"""Labelled results, made of the tables of runs."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from gdlab.axes.naming import EVALUATION_STEP, named
from gdlab.core.representation import as_written
from gdlab.sweeps.execute.run import SweepRun
from gdlab.sweeps.execute.tables import CONVERGED, status_names
from gdlab.sweeps.plan.cells import Cell
from gdlab.sweeps.plan.sweep_call import SweepCall
from gdlab.sweeps.plan.task import POINT_NUMBER
from gdlab.sweeps.results.combining.by_label import ByLabel, label_of
from gdlab.sweeps.results.combining.merging import stacked
from gdlab.sweeps.results.combining.steps import with_steps_of_all
from gdlab.sweeps.results.provenance import provenance
from gdlab.sweeps.results.result import SweepResult
from gdlab.training.models import OpenedModel


def collected(runs: list[SweepRun], call: SweepCall) -> Any:
    """The result of a sweep so far.

    Args:
        runs: its parts that have begun.
        call: the call.

    Returns:
        A result with the dimensions ``problem`` and ``optimizer`` where there are several, or a
        dictionary of results, of dictionaries of them if both differ in their axes; None if
        nothing has come yet.
    """
    begun = [run for run in runs if run.tables.records is not None]
    return _combined(begun, list(begun[0].planned.place), call) if begun else None


def _combined(runs: list[SweepRun], dimensions: list[str], call: SweepCall) -> Any:
    """The results of some runs, combined along these dimensions, the outermost first."""
    if not dimensions:
        return _result_of(runs[0], call)
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
        along: the axes along it.
        cells: the cell of each result.
        results: the results along it.
        one: all of them together, without the parameters whose shapes differ.
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


def _result_of(run: SweepRun, call: SweepCall) -> SweepResult:
    planned, tables = run.planned, run.tables
    task, grid = planned.task, planned.grid
    structure, seeds = task.structure, task.seeds
    shape = (*grid.sizes.values(), len(seeds))

    def by_axis(leaf: np.ndarray, axis: int = 0) -> np.ndarray:
        """Seeds × points at ``axis`` → the dimensions in turn, then the seeds, first of all."""
        moved = np.moveaxis(leaf, (axis + 1, axis), (0, 1))
        return moved.reshape(shape + moved.shape[2:])

    assert tables.records is not None  # a run without them has not begun
    steps = np.asarray(structure.recorded_steps)
    loss, aux, curves = tables.records
    loss = by_axis(loss, 1)
    stopped_at, last_loss = by_axis(tables.stopped_at), by_axis(tables.loss)
    # A lane that has converged stays there.
    converged = (by_axis(tables.status) == CONVERGED)[..., None]
    loss = np.where(converged & (steps > stopped_at[..., None]), last_loss[..., None], loss)
    metrics = {name: by_axis(values) for name, values in tables.metrics.items()}
    evaluated = np.asarray(structure.evaluated_steps)
    held = converged & (evaluated > stopped_at[..., None])
    curves = {
        name: np.where(held, metrics[name][..., None], by_axis(values, 1))
        if name in metrics
        else by_axis(values, 1)
        for name, values in curves.items()
    }
    history, rungs = _history(run, shape[:-1])
    kept, best = tables.kept_params(), tables.keep_params == "best"
    kept = kept if best or kept is None else jax.tree.map(by_axis, kept)
    kept = _whole(kept, task.template.fixed, (len(seeds),) if best else shape)
    return SweepResult(
        dims=(*grid.sizes, "seed"),
        coords=grid.coords
        | {"seed": seeds, "step": steps}
        | ({EVALUATION_STEP: evaluated} if curves else {})
        | rungs,
        axes={name: axis.along for name, axis in grid.axes.items()},
        loss=loss,
        aux={name: by_axis(values, 1) for name, values in named(aux, "aux").items()},
        metrics=metrics,
        curves=curves,
        # The loss at the last point is recorded at the very end.
        status=status_names(by_axis(tables.status), ~np.isnan(loss[..., -1])),
        stopped_at=stopped_at,
        evaluations=by_axis(tables.evaluations),
        history=history,
        optimizers=(planned.tx,),
        settings=planned.settings,
        provenance=provenance(),
        kept=kept,
        params_dims=() if kept is None else ("seed",) if best else (*grid.sizes, "seed"),
        recipe=call,
    )


def _whole(kept: Any, fixed: Any, shape: tuple[int, ...]) -> Any:
    """The models of lanes with the arrays that they share, as views that copy nothing."""
    if not isinstance(kept, OpenedModel) or fixed is None:
        return kept
    views = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (*shape, *leaf.shape)), fixed)
    return dataclasses.replace(kept, held=kept.held._replace(fixed=views))


def _history(run: SweepRun, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    start = run.planned.task.points
    stayed = all(
        np.array_equal(parents, start[POINT_NUMBER])
        and all(np.array_equal(values[name], start[name]) for name in start)
        for _, values, parents in run.history
    )
    if stayed:
        # So it does also under a policy that could have dropped points, but did not.
        return {}, {}
    rungs, values, parents = zip(*run.history, strict=True)
    history = {
        name: as_written(np.stack([rung[name] for rung in values])).reshape(-1, *shape)
        for name in values[0]
        if name != POINT_NUMBER
    }
    history["parent"] = np.stack(parents).reshape(-1, *shape)
    return history, {"rung": np.asarray(rungs)}

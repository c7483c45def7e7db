"""The labelled result of one run, from its tables."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.axes.naming import EVALUATION_STEP, named
from gdlab.core.representation import as_written
from gdlab.sweeps.execute.run import SweepRun
from gdlab.sweeps.execute.tables import CONVERGED, status_names
from gdlab.sweeps.plan.sweep_call import SweepCall
from gdlab.sweeps.plan.task import POINT_NUMBER
from gdlab.sweeps.results.provenance import provenance
from gdlab.sweeps.results.result import SweepResult
from gdlab.training.models import OpenedModel


class LabelledRecords(NamedTuple):
    """The values that were recorded of lanes, with the dimensions of the lanes first."""

    loss: np.ndarray
    aux: dict[str, np.ndarray]
    metrics: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]


def result_of(run: SweepRun, call: SweepCall) -> SweepResult:
    """The result so far of a run that has begun.

    Args:
        run: one optimizer on one problem.
        call: the call of :func:`gdlab.sweep` to which the run belongs.
    """
    planned, tables = run.planned, run.tables
    task, grid = planned.task, planned.grid
    sizes, dims = (*grid.sizes.values(), len(task.seeds)), (*grid.sizes, "seed")
    by_dimension = functools.partial(_by_dimension, sizes)
    records = _labelled_records(run, by_dimension)
    history, rungs = _history(run, sizes[:-1])
    kept, kept_dims = _kept_models(run, by_dimension, sizes, dims)
    steps = {"step": np.asarray(task.structure.recorded_steps)}
    if records.curves:
        steps[EVALUATION_STEP] = np.asarray(task.structure.evaluated_steps)
    return SweepResult(
        dims=dims,
        coords=grid.coords | {"seed": task.seeds} | steps | rungs,
        axes={name: axis.along for name, axis in grid.axes.items()},
        **records._asdict(),
        # The loss at the last point is recorded at the very end.
        status=status_names(by_dimension(tables.status), ~np.isnan(records.loss[..., -1])),
        stopped_at=by_dimension(tables.stopped_at),
        evaluations=by_dimension(tables.evaluations),
        history=history,
        optimizers=(planned.tx,),
        settings=planned.settings,
        provenance=provenance(),
        kept=kept,
        params_dims=kept_dims,
        recipe=call,
    )


def _by_dimension(sizes: tuple[int, ...], leaf: np.ndarray, axis: int = 0) -> np.ndarray:
    """Move seeds × points at ``axis`` to the front, as the grid's dimensions and then the seeds."""
    moved = np.moveaxis(leaf, (axis + 1, axis), (0, 1))
    return moved.reshape(sizes + moved.shape[2:])


def _labelled_records(run: SweepRun, by_dimension: Callable[..., np.ndarray]) -> LabelledRecords:
    """The recorded values of lanes; the last ones of a converged lane are repeated to the end."""
    tables, structure = run.tables, run.planned.task.structure
    assert tables.records is not None  # a run without them has not begun
    stopped_at = by_dimension(tables.stopped_at)[..., None]
    converged = (by_dimension(tables.status) == CONVERGED)[..., None]

    def held(values: np.ndarray, steps: Any, last: np.ndarray) -> np.ndarray:
        over = converged & (np.asarray(steps) > stopped_at)
        return np.where(over, last[..., None], by_dimension(values, 1))

    loss, aux, curves = tables.records
    metrics = {name: by_dimension(values) for name, values in tables.metrics.items()}
    return LabelledRecords(
        loss=held(loss, structure.recorded_steps, by_dimension(tables.loss)),
        aux={name: by_dimension(values, 1) for name, values in named(aux, "aux").items()},
        metrics=metrics,
        curves={
            name: held(values, structure.evaluated_steps, metrics[name])
            if name in metrics
            else by_dimension(values, 1)
            for name, values in curves.items()
        },
    )


def _kept_models(
    run: SweepRun,
    by_dimension: Callable[..., np.ndarray],
    sizes: tuple[int, ...],
    dims: tuple[str, ...],
) -> tuple[Any, tuple[str, ...]]:
    """The kept models and the names of their leading dimensions; None if none are kept."""
    kept = run.tables.kept_params()
    if kept is None:
        return None, ()
    if run.tables.keep_params == "best":
        # The parameters of the best point alone have no dimension but the seeds.
        sizes, dims = sizes[-1:], dims[-1:]
    else:
        kept = jax.tree.map(by_dimension, kept)
    fixed = run.planned.task.template.fixed
    if isinstance(kept, OpenedModel) and fixed is not None:
        # Arrays that all lanes share are broadcast as views, without copies.
        views = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (*sizes, *leaf.shape)), fixed)
        kept = dataclasses.replace(kept, held=kept.held._replace(fixed=views))
    return kept, dims


def _history(run: SweepRun, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The values of the axes after each rung, and the rungs; empty if no value ever changed."""
    start = run.planned.task.points
    stayed = all(
        np.array_equal(parents, start[POINT_NUMBER])
        and all(np.array_equal(values[name], start[name]) for name in start)
        for _, values, parents in run.history
    )
    if stayed:
        # Rungs at which no point was dropped or changed make no history.
        return {}, {}
    rungs, values, parents = zip(*run.history, strict=True)
    history = {
        name: as_written(np.stack([rung[name] for rung in values])).reshape(-1, *shape)
        for name in values[0]
        if name != POINT_NUMBER
    }
    history["parent"] = np.stack(parents).reshape(-1, *shape)
    return history, {"rung": np.asarray(rungs)}

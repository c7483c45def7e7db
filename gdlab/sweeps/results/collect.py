"""Labelled results, made of the tables of runs."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.core.representation import as_written
from gdlab.sweeps.execute.lanes import NUMBER
from gdlab.sweeps.execute.run import Run
from gdlab.sweeps.execute.tables import CONVERGED, status_names
from gdlab.sweeps.plan.grid import Grid
from gdlab.sweeps.plan.naming import named
from gdlab.sweeps.plan.recipe import Recipe
from gdlab.sweeps.results.merging import stacked
from gdlab.sweeps.results.provenance import provenance
from gdlab.sweeps.results.result import SweepResult
from gdlab.training.models import OpenedModel


class Entry(NamedTuple):
    """One optimizer on one problem; their names are empty where there is only one."""

    problem: str
    optimizer: str
    run: Run
    grid: Grid
    tx: Any
    """The optimizer, with its axes."""
    settings: dict[str, Any]
    """The arguments of the sweep that are numbers."""


def collected(entries: list[Entry], recipe: Recipe) -> Any:
    """The result of a sweep so far.

    Args:
        entries: its parts; those that have not begun are left out.
        recipe: the call.

    Returns:
        A result with the dimensions ``problem`` and ``optimizer`` where there are several, or a
        dictionary of results, of dictionaries of them if both differ in their axes; None if
        nothing has come yet.
    """
    begun = [e for e in entries if e.run.tables is not None and e.run.tables.records is not None]
    by_problem: dict[str, Any] = {}
    for problem in dict.fromkeys(entry.problem for entry in begun):
        part = recipe.only(problem=problem) if problem else recipe
        by_problem[problem] = _stacked(
            "optimizer",
            {
                entry.optimizer: _result_of(
                    entry,
                    part.only(optimizer=entry.optimizer) if entry.optimizer else part,
                )
                for entry in begun
                if entry.problem == problem
            },
            part,
        )
    return _stacked("problem", by_problem, recipe) if begun else None


def _stacked(dimension: str, results: dict[str, Any], recipe: Recipe) -> Any:
    if list(results) == [""]:
        return results[""]
    if any(not isinstance(result, SweepResult) for result in results.values()):
        return results
    one = stacked(dimension, results)
    return results if one is None else dataclasses.replace(one, recipe=recipe)


def _result_of(entry: Entry, recipe: Recipe) -> SweepResult:
    run, grid = entry.run, entry.grid
    tables, plan, seeds = run.tables, run.setup.plan, run.setup.seeds
    assert tables is not None
    shape = (*grid.sizes.values(), len(seeds))

    def by_axis(leaf: np.ndarray, axis: int = 0) -> np.ndarray:
        """Seeds × points at ``axis`` → the dimensions in turn, then the seeds, first of all."""
        moved = np.moveaxis(leaf, (axis + 1, axis), (0, 1))
        return moved.reshape(shape + moved.shape[2:])

    steps = np.asarray(plan.recorded_steps)
    loss, aux = tables.records
    loss = by_axis(loss, 1)
    stopped_at, last_loss = by_axis(tables.stopped_at), by_axis(tables.loss)
    # A lane that has reached its target stays there.
    held = (by_axis(tables.status) == CONVERGED)[..., None] & (steps > stopped_at[..., None])
    loss = np.where(held, last_loss[..., None], loss)
    history, rungs = _history(run, shape[:-1])
    kept, best = tables.kept_params(), tables.keep_params == "best"
    kept = kept if best or kept is None else jax.tree.map(by_axis, kept)
    kept = _whole(kept, run.setup.template.fixed, (len(seeds),) if best else shape)
    return SweepResult(
        dims=(*grid.sizes, "seed"),
        coords=grid.coords | {"seed": seeds, "step": steps} | rungs,
        axes={name: axis.along for name, axis in grid.axes.items()},
        loss=loss,
        aux={name: by_axis(values, 1) for name, values in named(aux, "aux").items()},
        metrics={name: by_axis(values) for name, values in tables.metrics.items()},
        # The loss at the last point is recorded at the very end.
        status=status_names(by_axis(tables.status), ~np.isnan(loss[..., -1])),
        stopped_at=stopped_at,
        evaluations=by_axis(tables.evaluations),
        history=history,
        optimizers=(entry.tx,),
        settings=entry.settings,
        provenance=provenance(),
        kept=kept,
        params_dims=() if kept is None else ("seed",) if best else (*grid.sizes, "seed"),
        recipe=recipe,
    )


def _whole(kept: Any, fixed: Any, shape: tuple[int, ...]) -> Any:
    """The models of lanes with the arrays that they share, as views that copy nothing."""
    if not isinstance(kept, OpenedModel) or fixed is None:
        return kept
    views = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (*shape, *leaf.shape)), fixed)
    return dataclasses.replace(kept, held=kept.held._replace(fixed=views))


def _history(run: Run, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    start = run.setup.points
    stayed = all(
        np.array_equal(parents, start[NUMBER])
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
        if name != NUMBER
    }
    history["parent"] = np.stack(parents).reshape(-1, *shape)
    return history, {"rung": np.asarray(rungs)}

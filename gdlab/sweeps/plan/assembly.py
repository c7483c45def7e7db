"""The plan of each run of a sweep, one optimizer on one problem, from the sweep's arguments."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gdlab.axes.grid import Grid, grid_of
from gdlab.axes.sampling import drawn
from gdlab.axes.slots import at_point, with_slots
from gdlab.checks.values import is_array_of_numbers
from gdlab.core.structure import leaves_with_paths
from gdlab.core.transformation import as_transformation
from gdlab.devices.lane_split import LaneSplit
from gdlab.sweeps.plan.arguments import entropy_of, pairs_of, require_readable
from gdlab.sweeps.plan.axis_arguments import AxisArguments
from gdlab.sweeps.plan.cells import Cell, accepted
from gdlab.sweeps.plan.first_model import shape_of_model
from gdlab.sweeps.plan.shared_arguments import SharedArguments
from gdlab.sweeps.plan.task import (
    POINT_NUMBER,
    LaneEvaluation,
    ProgramStructure,
    SweepTask,
    SweptValues,
)
from gdlab.training.batches import EpochSampler
from gdlab.training.length import evaluation_interval, steps_of
from gdlab.training.loader import Stream
from gdlab.training.models import OpenedModel, open_model
from gdlab.training.objective import Objective
from gdlab.training.problem import Problem
from gdlab.training.seed_keys import seed_keys
from gdlab.training.start import differentiable
from gdlab.training.step import sampler_of


class PlannedRun(NamedTuple):
    """One optimizer on one problem, before anything is compiled for it."""

    place: dict[str, Any]
    """The labels along the dimensions that have a run for each label: ``problem``, ``optimizer``
    and those of axes that change programs."""
    cell: Cell
    """The values of the axes that need a program for each value."""
    task: SweepTask
    grid: Grid
    tx: Any
    """The optimizer, with its axes."""
    settings: dict[str, Any]
    """The numbers among the arguments of the sweep, by name, and texts for some of the others."""

    @property
    def name(self) -> str:
        """The labels in ``place``, joined by dots; the empty string if there is only one run."""
        return ".".join(map(str, self.place.values()))


def planned_runs(
    problems: Mapping[str, Problem], optimizers: Mapping[str, Any], shared: SharedArguments
) -> list[PlannedRun]:
    """The run of each optimizer on each problem in each cell.

    Raises:
        ValueError: as in :func:`planned_run`, or if several runs would read an iterator of batches.
    """
    cells = shared.cells(problems, optimizers)
    require_readable(problems, len(optimizers) * len(cells))
    return [
        planned_run(place, cell, problem, tx, shared)
        for place, problem, tx in pairs_of(problems, optimizers)
        for cell in cells
    ]


def planned_run(
    place: dict[str, Any], cell: Cell, problem: Problem, tx: Any, shared: SharedArguments
) -> PlannedRun:
    """The run of one optimizer on one problem in one cell, with its grid.

    Args:
        place: the names of problem and optimizer, where there are several.
        cell: the values of the axes that change programs.
        problem: the problem, in whose parameters axes may stand.
        tx: the optimizer, with its axes, or the function of hyperparameters that makes it.
        shared: the arguments that do not depend on them.

    Raises:
        ValueError: if sizes do not fit, axes clash or nothing takes a hyperparameter.
        TypeError: if a hyperparameter is no number, array or axis.
    """
    model = open_model(cell.filled(problem.params))
    swept, first, grid = _on_grid(cell, None if model.is_init else model, tx, shared)
    template, first = with_slots((swept, first))
    functions = problem.loss, model.params if model.is_init else None, shared.evaluate
    _require_taken(template.hyperparameters, functions)
    of_loss, of_init, of_evaluate = (
        accepted(function, template.hyperparameters) if function else {} for function in functions
    )
    fixed = None
    if first is None:
        init = cell.bound(model.params)
        lane = shape_of_model(init, of_init, grid, seed_keys(shared.key, shared.seeds))
    else:
        init, lane = None, _model_at(first, grid)
        first, fixed = _parted(first)
    structure = _structure(cell, problem, lane, _at_first_point(template.tx, grid), shared)
    task = SweepTask(
        structure=structure,
        template=SweptValues(template.tx, of_loss, of_evaluate, fixed),
        init=init,
        first=first,
        init_hyperparameters=of_init,
        evaluate=cell.bound(shared.evaluate) if shared.evaluate else None,
        data=problem.data,
        model_state=shared.model_state,
        points=grid.points | {POINT_NUMBER: np.arange(grid.size)},
        seeds=shared.seeds,
        key=shared.key,
    )
    settings = cell.settings(shared.settings)
    if structure.sampler is not None and "batch_size" in settings:
        settings |= {"steps_per_epoch": structure.sampler.batches_per_epoch}
    return PlannedRun(place | cell.place, cell, task, grid, swept.tx, settings)


def _on_grid(
    cell: Cell, first: OpenedModel | None, tx: Any, shared: SharedArguments
) -> tuple[SweptValues, OpenedModel | None, Grid]:
    """The swept values, the model to start from, both with slots for axes, and the grid."""
    hyperparameters = cell.hyperparameters(shared.hyperparameters)
    _require_numbers(hyperparameters)
    swept = SweptValues(as_transformation(cell.resolved(tx)), hyperparameters, {})
    swept, first = drawn((swept, first), shared.samples, shared.sampling, entropy_of(shared.key))
    grid = grid_of(AxisArguments(swept.tx, swept.hyperparameters, first and first.params))
    _require_own_dimensions(grid, cell)
    return swept, first, grid


def _at_first_point(template: Any, grid: Grid) -> Any:
    """A tree whose slots are filled with the values at the first point of a grid."""
    return at_point(template, {name: values[0] for name, values in grid.points.items()})


def _model_at(first: OpenedModel, grid: Grid) -> OpenedModel:
    """The model from which the lanes of the first point start."""
    params = differentiable(_at_first_point(first.params, grid), "params")
    return dataclasses.replace(first, params=params)


def _parted(model: OpenedModel) -> tuple[OpenedModel, Any]:
    """The model without the arrays that never change, and these arrays."""
    held = model.held._replace(fixed=None)
    return dataclasses.replace(model, held=held), model.held.fixed


def _structure(
    cell: Cell, problem: Problem, lane: OpenedModel, tx: Any, shared: SharedArguments
) -> ProgramStructure:
    """The structure of the programs of a run.

    Args:
        cell: the values of the axes that change programs.
        problem: the problem.
        lane: the model of one lane, of whose arrays only shapes and dtypes are read.
        tx: the optimizer of one lane.
        shared: the arguments that do not depend on them.
    """
    loss, _, data = problem
    sampler = sampler_of(data, cell.resolved(shared.batch_size))
    stopping, mesh = shared.stopping, shared.resources.rows
    return ProgramStructure(
        objective=Objective(
            cell.bound(loss),
            data is not None,
            shared.has_aux,
            shared.model_state is not None,
            lane.form,
        ),
        sampler=sampler,
        streamed=isinstance(data, Stream),
        steps=steps_of(cell.resolved(shared.steps), cell.resolved(shared.epochs), sampler),
        record_every=shared.record_every,
        divergence_factor=stopping.divergence_factor,
        targets=stopping.bounds,
        mesh=mesh,
        split=LaneSplit.of(shared.resources.params_spec, mesh, lane.params, tx),
        evaluation=_evaluation(cell, sampler, shared),
    )


def _evaluation(
    cell: Cell, sampler: EpochSampler | None, shared: SharedArguments
) -> LaneEvaluation | None:
    """The evaluation on the way; None if there is none.

    Raises:
        ValueError: if lanes are to stop by an evaluation on the way, but there is none.
    """
    evaluate, patience = shared.evaluate, shared.stopping.patience
    every = evaluation_interval(shared.evaluate_every, evaluate is not None, sampler)
    if evaluate is not None and every is not None:
        return LaneEvaluation(cell.bound(evaluate), every, patience)
    if patience is not None:
        raise ValueError(
            f"{patience} looks at evaluations on the way: give evaluate and evaluate_every"
        )
    return None


def _require_own_dimensions(grid: Grid, cell: Cell) -> None:
    """Refuse an axis of data that lies along an axis which changes shapes.

    Raises:
        ValueError: naming the first.
    """
    for name, axis in grid.axes.items():
        if axis.along in cell.place:
            raise ValueError(
                f"axis {name!r} lies along {axis.along!r}, which changes shapes, so that each of "
                f"its values would belong to one shape: write Axis.choices({name!r}, …, "
                f"along={axis.along!r})"
            )


def _require_taken(
    hyperparameters: Mapping[str, Any], functions: Sequence[Callable[..., Any] | None]
) -> None:
    """Refuse hyperparameters that none of the functions takes.

    Raises:
        ValueError: naming the first one; or if a hyperparameter has a name that the sweep itself
            passes to the loss.
    """
    for name in hyperparameters:
        if name in ("key", "model_state"):
            raise ValueError(f"hyperparameters: the sweep itself passes {name!r} to the loss")
        if not any(accepted(function, {name: None}) for function in functions if function):
            raise ValueError(
                f"hyperparameters: neither the loss nor init nor evaluate has a parameter {name!r}"
            )


def _require_numbers(hyperparameters: Mapping[str, Any]) -> None:
    """Refuse hyperparameters that are neither numbers nor arrays nor axes.

    Raises:
        TypeError: naming the first.
    """
    # Axes are trees of numbers.
    for path, leaf in leaves_with_paths(dict(hyperparameters)):
        if not is_array_of_numbers(leaf):
            raise TypeError(
                f"hyperparameters: {path!r} is {leaf!r}, and not a number, an array or an axis: "
                "fix it in the loss, by functools.partial, or give a dictionary of problems with "
                "a loss for each"
            )

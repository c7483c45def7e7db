"""The arguments of one optimizer on one problem, put into the form in which they are run."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from gdlab.axes.grid import Grid, grid_of
from gdlab.axes.sampling import drawn
from gdlab.axes.slots import at_point, with_slots
from gdlab.core.structure import leaves_with_paths
from gdlab.core.transformation import GradientTransformation
from gdlab.devices.lane_split import LaneSplit
from gdlab.sweeps.plan.arguments import entropy_of
from gdlab.sweeps.plan.cells import Cell, accepted
from gdlab.sweeps.plan.first_model import shape_of_model
from gdlab.sweeps.plan.task import (
    POINT_NUMBER,
    LaneEvaluation,
    ProgramStructure,
    SweepTask,
    SweptValues,
)
from gdlab.sweeps.settings import Patience
from gdlab.training.length import Interval, evaluation_interval, steps_of
from gdlab.training.loader import Stream
from gdlab.training.models import OpenedModel, open_model
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.problem import Problem
from gdlab.training.seed_keys import seed_keys
from gdlab.training.start import differentiable
from gdlab.training.step import sampler_of


class AxisArguments(NamedTuple):
    """The arguments in which axes may stand, by their names."""

    tx: Any
    hyperparameters: Any
    params: Any


class PlannedRun(NamedTuple):
    """One optimizer on one problem, before anything is compiled for it."""

    place: dict[str, Any]
    """Its name among several problems or optimizers, and its label among cells, by dimension."""
    cell: Cell
    """The values of the axes that need a program for each value."""
    task: SweepTask
    grid: Grid
    tx: Any
    """The optimizer, with its axes."""
    settings: dict[str, Any]
    """The arguments of the sweep that are numbers."""

    @property
    def name(self) -> str:
        """Its names together, empty where there is only one run."""
        return ".".join(map(str, self.place.values()))


def planned_run(
    place: dict[str, Any],
    cell: Cell,
    problem: Problem,
    tx: GradientTransformation,
    hyperparameters: Mapping[str, Any],
    *,
    samples: int | None,
    sampling: Any,
    key: jax.Array,
    evaluate: Callable[..., Any] | None,
    has_aux: bool,
    model_state: Any,
    batch_size: int | None,
    seeds: np.ndarray,
    settings: dict[str, Any],
    steps: int | None,
    epochs: int | None = None,
    evaluate_every: Interval | None = None,
    patience: Patience | None = None,
    mesh: Mesh | None = None,
    params_spec: Any = None,
    **of_structure: Any,
) -> PlannedRun:
    """One optimizer on one problem, with its grid.

    Raises:
        ValueError: if sizes do not fit, axes clash or nothing takes a hyperparameter.
    """
    loss, params, data = problem
    _require_numbers(hyperparameters)
    model = open_model(params)
    fixed = cell.fixed
    init = ByIdentity(model.params, accepted(model.params, fixed)) if model.is_init else None
    first = None if init else model
    swept, first = drawn(
        (SweptValues(tx, dict(hyperparameters), {}), first), samples, sampling, entropy_of(key)
    )
    grid = grid_of(AxisArguments(swept.tx, swept.hyperparameters, first and first.params))
    _require_own_dimensions(grid, cell)
    template, first = with_slots((swept, first))

    held = None
    point = {name: values[0] for name, values in grid.points.items()}
    if first is not None:
        params = differentiable(at_point(first.params, point), "params")
        first, held = _parted(first)
    _require_taken(template.hyperparameters, loss, init, evaluate)
    of_loss, of_init, of_evaluate = (
        accepted(function, template.hyperparameters) if function else {}
        for function in (loss, init and init.function, evaluate)
    )
    form = model.form
    if init is not None:
        made = shape_of_model(init, of_init, grid, seed_keys(key, seeds))
        form, params = made.form, made.params
    sampler = sampler_of(data, batch_size)
    if evaluate is not None:
        evaluate = ByIdentity(evaluate, accepted(evaluate, fixed))
    every = evaluation_interval(evaluate_every, evaluate is not None, sampler)
    structure = ProgramStructure(
        objective=Objective(
            ByIdentity(loss, accepted(loss, fixed)),
            data is not None,
            has_aux,
            model_state is not None,
            form,
        ),
        sampler=sampler,
        streamed=isinstance(data, Stream),
        steps=steps_of(steps, epochs, sampler),
        evaluation=_evaluation(evaluate, every, patience),
        mesh=mesh,
        split=LaneSplit.of(params_spec, mesh, params, at_point(template.tx, point)),
        **of_structure,
    )
    task = SweepTask(
        structure=structure,
        template=SweptValues(template.tx, of_loss, of_evaluate, held),
        init=init,
        first=first,
        init_hyperparameters=of_init,
        evaluate=evaluate,
        data=data,
        model_state=model_state,
        points=grid.points | {POINT_NUMBER: np.arange(grid.size)},
        seeds=seeds,
        key=key,
    )
    if sampler is not None and "batch_size" in settings:
        settings = settings | {"steps_per_epoch": sampler.batches_per_epoch}
    return PlannedRun(place, cell, task, grid, swept.tx, settings)


def _evaluation(
    evaluate: ByIdentity | None, every: int | None, patience: Patience | None
) -> LaneEvaluation | None:
    """The evaluation on the way, None without one.

    Raises:
        ValueError: if there is none, but lanes are to stop by it.
    """
    if evaluate is not None and every is not None:
        return LaneEvaluation(evaluate, every, patience)
    if patience is not None:
        raise ValueError(
            f"{patience} looks at evaluations on the way: give evaluate and evaluate_every"
        )
    return None


def _require_own_dimensions(grid: Grid, cell: Cell) -> None:
    """Refuse an axis of data that lies along one which changes shapes.

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
    hyperparameters: Mapping[str, Any],
    loss: Callable[..., Any],
    init: ByIdentity | None,
    evaluate: Callable[..., Any] | None,
) -> None:
    """Refuse hyperparameters that nothing takes.

    Raises:
        ValueError: naming the first; or one that has a name which the sweep itself uses.
    """
    functions = [loss, *([init.function] if init else []), *([evaluate] if evaluate else [])]
    for name in hyperparameters:
        if name in ("key", "model_state"):
            raise ValueError(f"hyperparameters: the sweep itself passes {name!r} to the loss")
        if not any(accepted(function, {name: None}) for function in functions):
            raise ValueError(
                f"hyperparameters: neither the loss nor init nor evaluate has a parameter {name!r}"
            )


def _parted(model: OpenedModel) -> tuple[OpenedModel, Any]:
    """The model without the arrays that never change, and those."""
    held = model.held._replace(fixed=None)
    return dataclasses.replace(model, held=held), model.held.fixed


def _require_numbers(hyperparameters: Mapping[str, Any]) -> None:
    """Refuse hyperparameters that are neither numbers nor arrays nor axes.

    Raises:
        TypeError: naming the first.
    """
    # Axes are trees of numbers.
    for path, leaf in leaves_with_paths(dict(hyperparameters)):
        try:
            jax.eval_shape(lambda leaf: leaf, leaf)
        except TypeError:
            raise TypeError(
                f"hyperparameters: {path!r} is {leaf!r}, and not a number, an array or an axis: "
                "fix it in the loss, by functools.partial, or give a dictionary of problems with "
                "a loss for each"
            ) from None

"""The arguments of one optimizer on one problem, put into the form in which they are run."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.axes.grid import Grid, grid_of
from gdlab.axes.sampling import drawn
from gdlab.axes.slots import at_point, with_slots
from gdlab.core.structure import leaves_with_paths
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.plan.arguments import entropy_of
from gdlab.sweeps.plan.first_model import form_of_model
from gdlab.sweeps.plan.task import POINT_NUMBER, ProgramStructure, SweepTask, SweptValues
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

    place: dict[str, str]
    """Its name among several problems or optimizers, by dimension."""
    task: SweepTask
    grid: Grid
    tx: Any
    """The optimizer, with its axes."""
    settings: dict[str, Any]
    """The arguments of the sweep that are numbers."""

    @property
    def name(self) -> str:
        """Its names together, empty where there is only one run."""
        return ".".join(self.place.values())


def planned_run(
    place: dict[str, str],
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
    **of_structure: Any,
) -> PlannedRun:
    """One optimizer on one problem, with its grid.

    Raises:
        ValueError: if sizes do not fit, axes clash or nothing takes a hyperparameter.
    """
    loss, params, data = problem
    _require_numbers(hyperparameters)
    model = open_model(params)
    init = ByIdentity(model.params) if model.is_init else None
    first = None if init else model
    swept, first = drawn(
        (SweptValues(tx, dict(hyperparameters)), first), samples, sampling, entropy_of(key)
    )
    grid = grid_of(AxisArguments(swept.tx, swept.hyperparameters, first and first.params))
    template, first = with_slots((swept, first))

    fixed = None
    if first is not None:
        point = {name: values[0] for name, values in grid.points.items()}
        differentiable(at_point(first.params, point), "params")
        first, fixed = _parted(first)
    of_loss, of_init, of_evaluate = _dealt_out(template.hyperparameters, loss, init, evaluate)
    form = form_of_model(init, of_init, grid, seed_keys(key, seeds)) if init else model.form
    structure = ProgramStructure(
        objective=Objective(
            ByIdentity(loss), data is not None, has_aux, model_state is not None, form
        ),
        sampler=sampler_of(data, batch_size),
        streamed=isinstance(data, Stream),
        **of_structure,
    )
    task = SweepTask(
        structure=structure,
        template=SweptValues(template.tx, of_loss, fixed),
        init=init,
        first=first,
        init_hyperparameters=of_init,
        evaluate=ByIdentity(evaluate) if evaluate else None,
        evaluate_hyperparameters=of_evaluate,
        data=data,
        model_state=model_state,
        points=grid.points | {POINT_NUMBER: np.arange(grid.size)},
        seeds=seeds,
        key=key,
    )
    return PlannedRun(place, task, grid, swept.tx, settings)


def _dealt_out(
    hyperparameters: dict[str, Any],
    loss: Callable[..., Any],
    init: ByIdentity | None,
    evaluate: Callable[..., Any] | None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The hyperparameters of the loss, of ``init`` and of ``evaluate``.

    Raises:
        ValueError: if one of them has a name that the sweep itself uses, or nothing takes it.
    """
    of_loss = accepted(loss, hyperparameters)
    of_init = accepted(init.function, hyperparameters) if init else {}
    of_evaluate = accepted(evaluate, hyperparameters) if evaluate else {}
    for name in hyperparameters:
        if name in ("key", "model_state"):
            raise ValueError(f"hyperparameters: the sweep itself passes {name!r} to the loss")
        if name not in of_loss | of_init | of_evaluate:
            raise ValueError(
                f"hyperparameters: neither the loss nor init nor evaluate has a parameter {name!r}"
            )
    return of_loss, of_init, of_evaluate


def accepted(function: Callable[..., Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters for which a function has a parameter."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return dict(names)
    keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {parameter.name for parameter in parameters if parameter.kind in keyword}
    return {name: value for name, value in names.items() if name in taken}


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

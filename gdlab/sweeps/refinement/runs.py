"""The value of the runs that belong to the starts of a refinement."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.axes.grid import Points
from gdlab.axes.slots import at_point, with_slots
from gdlab.core.numerics import widen
from gdlab.core.ranges import LARGEST_COUNT
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.sweeps.compiled.lane_state import DIVERGED
from gdlab.sweeps.execute.lane_programs import LanePrograms
from gdlab.sweeps.plan.arguments import problems_of, seeds_of
from gdlab.sweeps.plan.assembly import planned_run
from gdlab.sweeps.plan.cells import CellArguments, cells_of
from gdlab.sweeps.plan.task import POINT_NUMBER
from gdlab.sweeps.refinement.starts import Starts
from gdlab.sweeps.refinement.values import ValueOf
from gdlab.sweeps.settings import Stopping
from gdlab.training.loader import Stream

Objective = Callable[[GradientTransformation], jax.Array]
"""A function of the optimizer, which returns a real scalar."""


def value_along(begin: Starts, metric: str, objective: Objective | None) -> ValueOf:
    """The value that is descended, at points.

    Args:
        begin: the starts, with the call of the sweep.
        metric: the final loss or an evaluation metric.
        objective: what is descended instead.

    Raises:
        ValueError: if a loader gives the batches of the sweep.
    """
    if objective is not None:
        return _value_of_objective(objective, as_transformation(with_slots(begin.places.tx)))
    call = begin.recipe.arguments
    problem = problems_of(call["loss"], begin.places.params, call["data"])[""]
    if isinstance(problem.data, Stream):
        raise ValueError(
            "refine: a loader gives the batches of this sweep from outside of the program that is "
            "differentiated; sweep with arrays as data"
        )
    key = call["key"]
    stopping = call["stopping"] or Stopping()
    cell, *others = cells_of(
        CellArguments(
            {"": problem},
            {"": begin.places.tx},
            begin.places.hyperparameters,
            {name: call[name] for name in ("steps", "epochs", "batch_size")},
        )
    )
    if others:
        raise ValueError(
            f"refine: the sweep has axes that change shapes ({', '.join(cell.labels)}), but it is "
            "of one shape that it can be told which way to go: select one, such as "
            f"result.select({next(iter(cell.labels))}=…)"
        )
    planned = planned_run(
        {},
        cell,
        problem._replace(params=cell.filled(problem.params)),
        as_transformation(cell.made(begin.places.tx)),
        cell.hyperparameters(begin.places.hyperparameters),
        samples=None,
        sampling="sobol",
        key=jax.random.key(0) if key is None else key,
        evaluate=call["evaluate"],
        has_aux=call["has_aux"],
        model_state=call["model_state"],
        batch_size=cell.made(call["batch_size"]),
        seeds=seeds_of(call["seeds"]),
        steps=cell.made(call["steps"]),
        epochs=cell.made(call["epochs"]),
        record_every=LARGEST_COUNT,
        divergence_factor=stopping.divergence_factor,
        targets=(),
        mesh=None,
        settings={},
    )
    return _value_of_runs(LanePrograms(planned.task), metric)


def _value_of_runs(programs: LanePrograms, metric: str) -> ValueOf:
    """The mean over the seeds of the final loss, or of an evaluation metric."""
    end = programs.task.structure.steps + 1

    def value_of(points: Points) -> jax.Array:
        count = len(next(iter(points.values())))
        state, metrics = programs.traced(points | {POINT_NUMBER: np.arange(count)}, end)
        values = state.lanes.loss if metric == "final_loss" else metrics[metric]
        values = widen(values)
        # A lane that diverged is evaluated where it was last good.
        values = jnp.where(state.lanes.status == DIVERGED, jnp.nan, values)
        return jnp.mean(values, axis=0)

    return value_of


def _value_of_objective(objective: Objective, template: GradientTransformation) -> ValueOf:
    """The value of a function of the optimizer, at points.

    Args:
        objective: the function.
        template: the optimizer, with slots in place of axes.
    """

    def of_point(point: Points) -> jax.Array:
        value = jnp.asarray(objective(at_point(template, point)))
        if value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
            raise TypeError(
                f"objective must return a real scalar, not {value.dtype} of shape {value.shape}"
            )
        return value

    return jax.vmap(of_point)

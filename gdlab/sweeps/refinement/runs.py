"""The function that a refinement minimises, as a traceable function of points."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.axes.grid import Points
from gdlab.axes.slots import at_point, with_slots
from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_numbers
from gdlab.core.numerics import widen
from gdlab.core.ranges import LARGEST_COUNT
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.sweeps.compiled.lane_state import DIVERGED
from gdlab.sweeps.execute.lane_programs import LanePrograms
from gdlab.sweeps.plan.arguments import problems_of
from gdlab.sweeps.plan.assembly import planned_run
from gdlab.sweeps.plan.shared_arguments import SharedArguments
from gdlab.sweeps.plan.task import POINT_NUMBER
from gdlab.sweeps.refinement.starts import Starts
from gdlab.sweeps.refinement.values import ValueOf
from gdlab.sweeps.settings import Stopping
from gdlab.training.loader import Stream

Objective = Callable[[GradientTransformation], jax.Array]
"""A function of the optimizer, which returns a real scalar."""


def value_along(begin: Starts, metric: str, objective: Objective | None) -> ValueOf:
    """The function to minimise: points → a value for each.

    Args:
        begin: the starts, with the call of the sweep.
        metric: the final loss or an evaluation metric.
        objective: a function to minimise instead of the metric, or None.

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
    shared = _shared_arguments(call, begin)
    cell, *others = shared.cells({"": problem}, {"": begin.places.tx})
    if others:
        raise ValueError(
            f"refine: the sweep has axes that change shapes ({', '.join(cell.labels)}), but it is "
            "of one shape that it can be told which way to go: select one, such as "
            f"result.select({next(iter(cell.labels))}=…)"
        )
    planned = planned_run({}, cell, problem, begin.places.tx, shared)
    return _value_of_runs(LanePrograms(planned.task), metric)


def _shared_arguments(call: Mapping[str, Any], begin: Starts) -> SharedArguments:
    """The arguments of the runs, which record only the end and stop only if they diverge."""
    stopping = call["stopping"] or Stopping()
    changed = {
        "hyperparameters": begin.places.hyperparameters,
        "samples": None,
        "evaluate_every": None,
        "policy": None,
        "stopping": Stopping(divergence_factor=stopping.divergence_factor),
        "record_every": LARGEST_COUNT,
        "resources": None,
    }
    return SharedArguments.of({**call, **changed})


def _value_of_runs(programs: LanePrograms, metric: str) -> ValueOf:
    """The mean over the seeds of the final loss, or of an evaluation metric."""
    end = programs.task.structure.steps + 1

    def value_of(points: Points) -> jax.Array:
        count = len(next(iter(points.values())))
        state, metrics = programs.traced(points | {POINT_NUMBER: np.arange(count)}, end)
        values = state.lanes.loss if metric == "final_loss" else metrics[metric]
        values = widen(values)
        # A lane that diverged would be evaluated at its last good parameters.
        values = jnp.where(state.lanes.status == DIVERGED, jnp.nan, values)
        return jnp.mean(values, axis=0)

    return value_of


def _value_of_objective(objective: Objective, template: GradientTransformation) -> ValueOf:
    """The value of a function of the optimizer: points → a value for each.

    Args:
        objective: the function.
        template: the optimizer, with slots in place of axes.
    """

    def of_point(point: Points) -> jax.Array:
        value = called_as("objective(tx)", objective, at_point(template, point))
        if not is_array_of_numbers(value):
            raise TypeError(f"objective must return a real scalar, not {value!r}")
        value = jnp.asarray(value)
        if value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
            raise TypeError(
                f"objective must return a real scalar, not {value.dtype} of shape {value.shape}"
            )
        return value

    return jax.vmap(of_point)

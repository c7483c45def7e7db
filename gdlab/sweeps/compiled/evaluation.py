"""The evaluation of all lanes, at some steps on the way and at the end of training."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from gdlab.axes.naming import FIELDS, named_scalars
from gdlab.axes.slots import at_point
from gdlab.devices.mesh import LANES
from gdlab.sweeps.compiled.lane_mapping import mapped, mapped_in_cache
from gdlab.sweeps.compiled.lane_state import (
    CONVERGED,
    DIVERGED,
    RUNNING,
    Improvement,
    LaneState,
    LastGood,
)
from gdlab.sweeps.compiled.lane_step import inexact_dtype, with_fixed
from gdlab.sweeps.plan.task import LaneEvaluation, ProgramStructure, SweptValues
from gdlab.training.evaluation import evaluation_of
from gdlab.training.models import Form, ModelState
from gdlab.training.objective import ByIdentity


def metrics_of(
    evaluate: ByIdentity,
    form: Form,
    in_cache: bool,
    template: SweptValues,
    points: Any,
    good: LastGood,
) -> dict[str, Any]:
    """The metrics of all lanes by name, with leading axes of seeds and points.

    Args:
        evaluate: the function of one model.
        form: the structure of the model.
        in_cache: whether few lanes are to be evaluated together, see :func:`mapped_in_cache`.
        template: the values that do not depend on the lane, with slots for those that do.
        points: the hyperparameters of the points.
        good: the parameters of the lanes.
    """

    def of_lane(point: Any, lane: tuple[Any, ModelState]) -> Any:
        params, model_state = lane
        whole = with_fixed(model_state, template.fixed)
        hyperparameters = at_point(template.evaluate_hyperparameters, point)
        return evaluation_of(evaluate, form, params, whole, **hyperparameters)

    over_lanes = mapped_in_cache if in_cache else mapped
    values = over_lanes(of_lane, points, (good.to_evaluate, good.model_state))
    name = getattr(evaluate.function, "__name__", "<lambda>")
    # A single metric has the name of the function, unless a result uses that name already.
    name = "evaluation" if name in ("<lambda>", *FIELDS) else name
    return named_scalars(values, name, "what evaluate returns", leading=2)


def recorded_metrics(
    structure: ProgramStructure, template: SweptValues, points: Any, lanes: LaneState
) -> dict[str, Any]:
    """The metrics of lanes on the way, NaN where they diverged; empty if nothing is evaluated."""
    if structure.evaluation is None:
        return {}
    evaluate, form = structure.evaluation.evaluate, structure.objective.form
    in_cache = structure.keeps_in_cache
    metrics = metrics_of(evaluate, form, in_cache, template, points, lanes.last_good)
    diverged = lanes.status == DIVERGED
    return {
        name: jnp.where(diverged, jnp.nan, values).astype(inexact_dtype(values))
        for name, values in metrics.items()
    }


def evaluated_on_the_way(
    structure: ProgramStructure,
    template: SweptValues,
    points: Any,
    lanes: LaneState,
    records: dict[str, Any],
    step: jax.Array,
) -> tuple[LaneState, dict[str, Any]]:
    """The lanes and the records of their metrics after the evaluation of a step, if it has one."""
    evaluation = structure.evaluation
    if evaluation is None:
        return lanes, records
    last = step == structure.steps
    due = last | (step % evaluation.every == 0)
    row = jnp.where(last, len(structure.evaluated_steps) - 1, step // evaluation.every)
    compute = functools.partial(recorded_metrics, structure, template, points, lanes)
    now = jax.lax.cond(due, compute, lambda: {name: of[row] for name, of in records.items()})
    records = {name: of.at[row].set(now[name]) for name, of in records.items()}
    if (patience := evaluation.patience) is None or lanes.improvement is None:
        return lanes, records
    value = now[patience.metric]
    value = (-value if patience.maximize else value).astype(lanes.improvement.best.dtype)
    best, since = lanes.improvement
    better = value < best - patience.least
    best = jnp.where(due & better, value, best)
    since = jnp.where(due, jnp.where(better, 0, since + 1), since)
    ends = due & ~last & (lanes.status == RUNNING) & (since >= patience.evaluations)
    return lanes._replace(
        status=jnp.where(ends, CONVERGED, lanes.status).astype(lanes.status.dtype),
        stopped_at=jnp.where(ends, step, lanes.stopped_at),
        improvement=Improvement(best, since),
    ), records


def no_improvement_yet(evaluation: LaneEvaluation | None) -> Improvement | None:
    """The progress of a run before its first evaluation; None without patience."""
    if evaluation is None or evaluation.patience is None:
        return None
    return Improvement(jnp.full((), jnp.inf), jnp.full((), 0))


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def evaluated(
    evaluate: ByIdentity,
    form: Form,
    in_cache: bool,
    mesh: Mesh | None,
    template: SweptValues,
    points: Any,
    good: LastGood,
) -> dict[str, Any]:
    """:func:`metrics_of`, compiled, of lanes that are spread over the devices of ``mesh``."""
    compute = functools.partial(metrics_of, evaluate, form, in_cache)
    if mesh is not None:
        lanes = PartitionSpec(None, LANES)
        compute = jax.shard_map(
            compute,
            mesh=mesh,
            in_specs=(PartitionSpec(), PartitionSpec(LANES), lanes),
            out_specs=lanes,
            # Lanes exchange no data, so there is no replication to check.
            check_vma=False,
        )
    return compute(template, points, good)

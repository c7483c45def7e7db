"""One step of one lane."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.axes.naming import named
from gdlab.sweeps.compiled.lane_state import CONVERGED, DIVERGED, RUNNING, LaneState, LastGood
from gdlab.sweeps.plan.task import ProgramStructure, SweptValues
from gdlab.training.models import ModelState
from gdlab.training.objective import Objective
from gdlab.training.step import OnBatch, Progress, Seen, take_step
from gdlab.transforms.norms.norms import global_norm
from gdlab.transforms.steps.guarding import all_finite


def step_of_lane(
    structure: ProgramStructure,
    swept: SweptValues,
    lane: LaneState,
    on_batch: OnBatch,
    key: jax.Array,
    step: jax.Array,
) -> tuple[LaneState, Any]:
    """The lane after a step, and the loss and aux at the parameters before the step."""
    params = lane.progress.params
    objective = functools.partial(objective_of_lane, structure.objective, swept)
    counted, calls = _counted(on_batch)
    draws = structure.sampler is not None and structure.sampler.batches_per_epoch > 1
    same = structure.objective.has_no_side_results and not structure.objective.is_random(key)
    is_first = step == 0 if same and not (draws or structure.streamed) else None
    new, seen = take_step(objective, swept.tx, lane.progress, counted, key, is_first)

    value = seen.value
    first = jnp.where(step == 0, value, lane.first_loss).astype(lane.first_loss.dtype)
    bound = jnp.where(first == 0, jnp.inf, structure.divergence_factor * jnp.abs(first))
    good = jnp.isfinite(value) & (value <= bound) & all_finite(params)
    was_running = lane.status == RUNNING
    alive = was_running & good
    running = alive & ~_reached(structure, seen)
    last_good = _select(alive, LastGood.of(lane.progress), lane.last_good)
    kept = last_good.params, last_good.model_state
    params, model_state = _select(running, (new.params, new.model_state), kept)
    status = jnp.where(good, jnp.where(running, RUNNING, CONVERGED), DIVERGED)
    nan = jax.tree.map(
        lambda leaf: jnp.full(jnp.shape(leaf), jnp.nan, inexact_dtype(leaf)), (value, seen.aux)
    )
    record = _select(alive, (value, seen.aux), nan)
    lane = LaneState(
        # The optimizer state of a stopped lane is never read again, so it need not be frozen.
        progress=Progress(params, new.state, model_state),
        last_good=last_good,
        first_loss=first,
        loss=jnp.where(was_running, record[0], lane.loss).astype(lane.loss.dtype),
        status=jnp.where(was_running, status, lane.status).astype(lane.status.dtype),
        stopped_at=jnp.where(was_running & ~running, step, lane.stopped_at),
        evaluations=lane.evaluations + jnp.where(was_running, len(calls), 0),
        improvement=lane.improvement,
    )
    return lane, record


def objective_of_lane(
    objective: Objective,
    swept: SweptValues,
    params: Any,
    batch: Any,
    key: jax.Array | None,
    model_state: ModelState,
) -> tuple[jax.Array, tuple[ModelState, Any]]:
    """The objective at some parameters, with the model state of the lane."""
    whole = with_fixed(model_state, swept.fixed)
    value, (new, aux) = objective(params, batch, key, whole, swept.hyperparameters)
    return value, (new._replace(held=model_state.held._replace(carried=new.held.carried)), aux)


def with_fixed(model_state: ModelState, fixed: Any) -> ModelState:
    """The model state of a lane, completed by the arrays that all lanes share."""
    if fixed is None:
        return model_state
    return model_state._replace(held=model_state.held._replace(fixed=fixed))


def _counted(on_batch: OnBatch) -> tuple[OnBatch, list[Any]]:
    """``on_batch``, and a list that collects the functions passed to it while it is traced."""
    calls: list[Any] = []

    def counted(fun: Callable[[Any], Any]) -> Any:
        calls.append(fun)
        return on_batch(fun)

    return counted, calls


def _reached(structure: ProgramStructure, seen: Seen) -> jax.Array:
    """Tell whether all targets are reached, if there are any."""
    if not structure.targets:
        return jnp.array(False)
    aux = named(seen.aux, "aux")
    known = {"loss": lambda: seen.value, "gradient_norm": lambda: global_norm(seen.grad)}
    values = [known[name]() if name in known else aux[name] for name, _ in structure.targets]
    bounds = [bound for _, bound in structure.targets]
    return jnp.all(jnp.array([v <= bound for v, bound in zip(values, bounds, strict=True)]))


def _select(flag: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(flag, a, b), new, old)


def inexact_dtype(leaf: Any) -> Any:
    """The dtype of a leaf, if it can hold a NaN and at least float32's digits; else float32."""
    dtype = jnp.result_type(leaf)
    return dtype if jnp.issubdtype(dtype, jnp.inexact) and dtype.itemsize >= 4 else jnp.float32

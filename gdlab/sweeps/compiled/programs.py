"""The compiled programs of a sweep: many lanes, some steps.

A lane is one run: one seed at one point of the grid. Seeds are the outer dimension, so that each
batch is drawn once for all points of the grid, which see the same batches. The points are data:
only their number is compiled in, not their values or the policy that chose them.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from gdlab.axes.naming import named_scalars
from gdlab.axes.slots import at_point
from gdlab.core.numerics import strong
from gdlab.devices.mesh import LANES
from gdlab.sweeps.compiled.evaluation import (
    evaluated_on_the_way,
    no_improvement_yet,
    recorded_metrics,
)
from gdlab.sweeps.compiled.lane_state import (
    RUNNING,
    EpochOrders,
    LaneState,
    LastGood,
    Records,
    SweepState,
    on_devices,
    placed_on,
)
from gdlab.sweeps.compiled.lane_step import (
    inexact_dtype,
    objective_of_lane,
    step_of_lane,
)
from gdlab.sweeps.compiled.weak_structure import WeakStructure
from gdlab.sweeps.plan.first_model import first_model
from gdlab.sweeps.plan.task import ProgramStructure, SweptValues
from gdlab.training.models import ModelState, OpenedModel
from gdlab.training.objective import ByIdentity
from gdlab.training.seed_keys import SeedKeys
from gdlab.training.step import OnBatch, Progress, on_batch_in, on_batch_of

AUX = "the auxiliary value of the loss"
"""The name of the auxiliary value in error messages."""


@functools.partial(jax.jit, static_argnums=(0, 1))
def start(
    structure: ProgramStructure,
    model_by_point: bool,
    template: SweptValues,
    model: OpenedModel,
    points: Any,
    keys: SeedKeys,
    data: Any,
    model_state: Any,
) -> SweepState:
    """All runs before their first step."""
    model_state = strong(jax.tree.map(jnp.asarray, model_state))

    def of_point(model: OpenedModel, point: Any) -> LaneState:
        progress = Progress(
            model.params,
            at_point(template.tx, point).init(model.params),
            ModelState(model.held, model_state),
        )
        lane = LaneState(
            progress=progress,
            last_good=LastGood.of(progress),
            first_loss=jnp.full((), jnp.nan),
            loss=jnp.full((), jnp.nan),
            status=jnp.full((), RUNNING, jnp.int8),
            stopped_at=jnp.full((), -1),
            evaluations=jnp.full((), 0),
            improvement=no_improvement_yet(structure.evaluation),
        )
        # The steps return strong types: weak ones here would compile a second program.
        return strong(lane)

    over_points = jax.vmap(of_point, (0 if model_by_point else None, 0))
    lanes = jax.vmap(over_points, (0, None))(model, points)
    loss, aux = _shape_of_record(structure, template, lanes.progress, points, keys.step[0], data)
    seen = structure.number_recorded, *lanes.loss.shape
    loss, aux = jax.tree.map(lambda leaf: _blank(seen + leaf.shape, leaf), (loss, aux))
    return on_devices(
        structure,
        SweepState(lanes, Records(loss, aux, _blank_metrics(structure, template, points, lanes))),
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def split_model(
    structure: ProgramStructure,
    init: ByIdentity | None,
    template: Any,
    hyperparameters: Any,
    points: Any,
    keys: jax.Array,
) -> OpenedModel:
    """The model before the first step, made in parts, so that no device ever holds a whole lane."""
    model = first_model(init, template, hyperparameters, points, keys)
    assert structure.split is not None
    specs = structure.split.of_params(model.params, (None, LANES) if points else (None,))
    return dataclasses.replace(model, params=placed_on(structure.mesh, model.params, specs))


class StepInputs(NamedTuple):
    """The constant inputs of several steps."""

    template: SweptValues
    points: Any
    """The hyperparameters of the points by name, each of shape ``(points,)``."""
    keys: SeedKeys
    data: Any
    first_of_data: Any
    """The step to which the first of the streamed batches belongs."""
    begin: Any
    end: Any
    """The number of the step before which to stop."""


@functools.partial(jax.jit, static_argnums=(0,), donate_argnums=(1, 2))
def advance(
    weak: WeakStructure, state: SweepState, orders: EpochOrders | None, inputs: StepInputs
) -> tuple[SweepState, EpochOrders | None]:
    """Take the steps from ``begin`` to ``end``; how many they are is data, not compiled in.

    ``orders`` are those that the previous call for the same seeds returned, so that they are not
    drawn again.

    A step evaluates the loss at the parameters from which it starts. So one step more than the
    number asked for evaluates and records the loss of the final parameters, after which
    ``last_good`` is the result of the runs. The loop ends early when no lane is running.
    """
    structure: ProgramStructure = weak.structure
    take_all = functools.partial(_take_steps, structure)
    if structure.mesh is not None:
        every, lanes = PartitionSpec(), PartitionSpec(LANES)
        carried = SweepState(PartitionSpec(None, LANES), PartitionSpec(None, None, LANES))  # type: ignore[arg-type]
        read = StepInputs(*[every] * 7)._replace(points=lanes)  # type: ignore[arg-type]
        take_all = jax.shard_map(
            take_all,
            mesh=structure.mesh,
            in_specs=(carried, every, read),
            out_specs=(carried, every),
            # XLA decides what the devices within a row exchange.
            axis_names={LANES},
            # Rows exchange no data, so there is no replication to check.
            check_vma=False,
        )
    state, orders = take_all(state, orders, inputs)
    return on_devices(structure, state), orders


@functools.partial(jax.jit, static_argnums=(0,))
def picked(structure: ProgramStructure, state: SweepState, parents: jax.Array) -> SweepState:
    """The state with the lanes of the points ``parents`` alone."""
    lanes = jax.tree.map(lambda leaf: leaf[:, parents], state.lanes)
    records = jax.tree.map(lambda leaf: leaf[:, :, parents], state.records)
    return on_devices(structure, SweepState(lanes, records))


def _take_steps(
    structure: ProgramStructure,
    state: SweepState,
    orders: EpochOrders | None,
    inputs: StepInputs,
) -> tuple[SweepState, EpochOrders | None]:
    template, points, keys, data, first_of_data, begin, end = inputs

    def take(carried: Any) -> Any:
        step, orders, (lanes, records) = carried
        if orders is not None and structure.sampler is not None:
            orders = orders.at(structure.sampler, keys.order, step)

        def of_seed(lanes: LaneState, order: Any, key: SeedKeys) -> tuple[LaneState, Any]:
            on_batch = _on_batch(structure, data, order, step, first_of_data)
            step_key = jax.random.fold_in(key.step, step)

            def of_point(lane: LaneState, point: Any) -> tuple[LaneState, Any]:
                return step_of_lane(
                    structure, at_point(template, point), lane, on_batch, step_key, step
                )

            return jax.vmap(of_point)(lanes, points)

        of_seeds = None if orders is None else orders.orders
        lanes, record = jax.vmap(of_seed)(lanes, of_seeds, keys)
        last = step == structure.steps
        index = jnp.where(last, structure.number_recorded - 1, step // structure.record_every)
        kept = last | (step % structure.record_every == 0)
        loss, aux = jax.tree.map(
            lambda all_, new: all_.at[index].set(jnp.where(kept, new, all_[index])),
            (records.loss, records.aux),
            record,
        )
        lanes, metrics = evaluated_on_the_way(
            structure, template, points, lanes, records.metrics, step
        )
        return step + 1, orders, SweepState(lanes, Records(loss, aux, metrics))

    def goes_on(carried: Any) -> jax.Array:
        step, _, (lanes, _) = carried
        return (step < end) & jnp.any(lanes.status == RUNNING)

    begin = jnp.asarray(begin)
    _, orders, state = jax.lax.while_loop(goes_on, take, (begin, orders, state))
    return state, orders


def _blank(shape: tuple[int, ...], like: Any) -> jax.Array:
    """Records of ``shape`` that hold NaN until a step writes them."""
    return jnp.full(shape, jnp.nan, inexact_dtype(like))


def _blank_metrics(
    structure: ProgramStructure, template: SweptValues, points: Any, lanes: LaneState
) -> dict[str, Any]:
    """Blank records of the metrics on the way; empty if nothing is evaluated there."""
    rows, make = len(structure.evaluated_steps), functools.partial(recorded_metrics, structure)
    shapes = jax.eval_shape(make, template, points, lanes)
    return {name: _blank((rows, *shape.shape), shape) for name, shape in shapes.items()}


def _on_batch(
    structure: ProgramStructure, data: Any, order: Any, step: Any, first_of_data: Any
) -> OnBatch:
    if not structure.streamed:
        return on_batch_of(structure.sampler, data, order, step)
    return on_batch_in(data, step - first_of_data)


def _shape_of_record(
    structure: ProgramStructure,
    template: SweptValues,
    progress: Progress,
    points: Any,
    key: jax.Array,
    data: Any,
) -> Any:
    """Shapes and dtypes of loss and aux."""

    def see(progress: Progress, points: Any, key: jax.Array, data: Any) -> Any:
        if structure.streamed:
            data = jax.tree.map(lambda stack: stack[0], data)
        elif structure.sampler is not None:
            size = structure.sampler.batch_size
            data = jax.tree.map(lambda leaf: jnp.asarray(leaf)[:size], data)
        params, _, model_state = jax.tree.map(lambda leaf: leaf[0, 0], progress)
        first = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], points)
        swept = at_point(template, first)
        value, (_, aux) = objective_of_lane(
            structure.objective, swept, params, data, key, model_state
        )
        named_scalars(jax.tree.map(jnp.asarray, aux), "aux", AUX, leading=0)
        return value, aux

    return jax.eval_shape(see, progress, points, key, data)

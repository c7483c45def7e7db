"""The compiled programs of a sweep: many lanes, some steps.

A lane is one run: a seed, and a point of the grid. Seeds are the outer dimension, so that a batch
is drawn once for all points of the grid, which see the same batches. The points are data: neither
their values nor what they were chosen by is compiled in, only their number.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gdlab.core.numerics import strong
from gdlab.core.state import evaluates_elsewhere, evaluation_params
from gdlab.sweeps.execute.weak_keys import PlanOf
from gdlab.sweeps.plan.grid import at_point
from gdlab.sweeps.plan.naming import named, named_scalars
from gdlab.training.batches import EpochSampler
from gdlab.training.models import Form, ModelState, OpenedModel, open_model
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.start import differentiable
from gdlab.training.step import OnBatch, Progress, Seen, on_batch_in, on_batch_of, take_step
from gdlab.transforms.norms.norms import global_norm
from gdlab.transforms.steps.guarding import all_finite

RUNNING, DIVERGED, CONVERGED = 0, 1, 2
"""The status of a lane."""
AUX = "the auxiliary value of the loss"
"""What it is called in messages."""


class Plan(NamedTuple):
    """The structure that is fixed when the programs are compiled."""

    objective: Objective
    sampler: EpochSampler | None
    streamed: bool
    """True if data are a stack of batches, one for each step, and not all examples."""
    steps: int
    record_every: int
    divergence_factor: float
    targets: tuple[tuple[str, float], ...]
    mesh: Mesh | None
    """Devices in a row, over which the points are spread."""

    @property
    def recorded_steps(self) -> list[int]:
        """Every ``record_every``-th step, and the one that would follow the last."""
        return [*range(0, self.steps, self.record_every), self.steps]


class Swept(NamedTuple):
    """The values that may hold axes, or the slots where they stood."""

    tx: Any
    hyperparameters: dict[str, Any]
    """Those that are passed to the loss."""
    fixed: Any = None
    """The arrays that the model holds and never changes, one copy for all lanes; None where
    ``init`` makes the model, whose lanes have their own."""


class Keys(NamedTuple):
    """The randomness of a seed, the same at all points of the grid."""

    init: jax.Array
    order: jax.Array
    step: jax.Array


class Lane(NamedTuple):
    """The values that one run carries."""

    progress: Progress
    last_good: "LastGood"
    """The progress at which it and the loss were last finite and small enough."""
    first_loss: jax.Array
    loss: jax.Array
    """The loss that was seen last, or with which the lane stopped; NaN if it diverged."""
    status: jax.Array
    stopped_at: jax.Array
    """The step at which the lane stopped, −1 if it has not."""
    evaluations: jax.Array
    """The number of evaluations of the loss or its gradient; those in a loop count once a step."""


class LastGood(NamedTuple):
    """The parameters of a run, and what belongs to them."""

    params: Any
    model_state: Any
    averaged: Any
    """The parameters to evaluate, where the optimizer averages; else None."""

    @classmethod
    def of(cls, progress: Progress) -> "LastGood":
        """The result of a run so far."""
        params, state, model_state = progress
        averages = evaluates_elsewhere(state)
        return cls(params, model_state, evaluation_params(state, params) if averages else None)

    @property
    def to_evaluate(self) -> Any:
        """The parameters by which the run is judged."""
        return self.params if self.averaged is None else self.averaged


class Carry(NamedTuple):
    """The values that all runs carry on."""

    lanes: Lane
    """The lanes, with leading axes of seeds and points."""
    records: Any
    """Loss and aux at the recorded steps, with leading axes of these, seeds and points."""


class Shuffled(NamedTuple):
    """The orders of the examples in one epoch, which go from call to call.

    They depend on nothing but the keys of the seeds and the epoch, but shuffling many examples
    costs as much as many steps.
    """

    epoch: jax.Array
    """The epoch that they are of, −1 if they are still to be drawn."""
    orders: jax.Array
    """The order of each seed, of shape ``(seeds, examples)``."""

    @classmethod
    def none_yet(cls, sampler: EpochSampler | None, seeds: int) -> "Shuffled | None":
        """What to begin with; None where there is nothing to shuffle."""
        if sampler is None or sampler.batches_per_epoch == 1:
            return None
        return cls(jnp.full((), -1, jnp.int32), jnp.zeros((seeds, sampler.size), jnp.int32))

    def at(self, sampler: EpochSampler, keys: jax.Array, step: jax.Array) -> "Shuffled":
        """Those of the epoch of a step, drawn anew unless these are."""
        epoch = step // sampler.batches_per_epoch

        def draw() -> jax.Array:
            return jax.vmap(sampler.order, (0, None))(keys, step)

        orders = jax.lax.cond(epoch == self.epoch, lambda: self.orders, draw)
        return Shuffled(epoch.astype(self.epoch.dtype), orders)


@jax.jit
def keys_of(key: jax.Array, seeds: jax.Array) -> Keys:
    """The keys of each seed, with a leading axis of seeds."""
    split = jax.vmap(lambda seed: jax.random.split(jax.random.fold_in(key, seed), 3))(seeds)
    return Keys(split[:, 0], split[:, 1], split[:, 2])


@functools.partial(jax.jit, static_argnums=(0,))
def first_model(
    init: ByIdentity | None, template: Any, hyperparameters: Any, points: Any, keys: jax.Array
) -> OpenedModel:
    """The model before the first step, with leading axes of seeds, and points if given.

    It is apart from :func:`start` since it does not depend on the optimizer. ``points`` has only
    those hyperparameters on which the start depends.
    """

    def of_point(key: jax.Array, point: Any) -> OpenedModel:
        given = at_point((template, hyperparameters), point)
        model = open_model(init(key, **given[1])) if init else given[0]
        params = differentiable(model.params, "what init returns")
        return dataclasses.replace(model, params=params)

    over_points = jax.vmap(of_point, (None, 0)) if points else of_point
    return jax.vmap(over_points, (0, None))(keys, points)


@functools.partial(jax.jit, static_argnums=(0, 1))
def start(
    plan: Plan,
    model_by_point: bool,
    template: Swept,
    model: OpenedModel,
    points: Any,
    keys: Keys,
    data: Any,
    model_state: Any,
) -> Carry:
    """All runs before their first step."""
    model_state = strong(jax.tree.map(jnp.asarray, model_state))

    def of_point(model: OpenedModel, point: Any) -> Lane:
        progress = Progress(
            model.params,
            at_point(template.tx, point).init(model.params),
            ModelState(model.held, model_state),
        )
        lane = Lane(
            progress=progress,
            last_good=LastGood.of(progress),
            first_loss=jnp.full((), jnp.nan),
            loss=jnp.full((), jnp.nan),
            status=jnp.full((), RUNNING, jnp.int8),
            stopped_at=jnp.full((), -1),
            evaluations=jnp.full((), 0),
        )
        # As the steps return them: with weak types the second call would be another program.
        return strong(lane)

    over_points = jax.vmap(of_point, (0 if model_by_point else None, 0))
    lanes = jax.vmap(over_points, (0, None))(model, points)
    shape = (len(plan.recorded_steps), *lanes.loss.shape)
    record = _shape_of_record(plan, template, lanes.progress, points, keys.step[0], data)
    records = jax.tree.map(
        lambda leaf: jnp.full(shape + leaf.shape, jnp.nan, _inexact(leaf)), record
    )
    return _on_devices(plan, Carry(lanes, records))


@functools.partial(jax.jit, static_argnums=(0,), donate_argnums=(2, 3))
def advance(
    held: PlanOf,
    template: Swept,
    carry: Carry,
    shuffled: Shuffled | None,
    points: Any,
    keys: Keys,
    data: Any,
    first_of_data: Any,
    begin: Any,
    end: Any,
) -> tuple[Carry, Shuffled | None]:
    """Take the steps from ``begin`` to ``end``, whose number is not compiled in.

    What was ``shuffled`` by the last call of any lanes of the same seeds is not shuffled again.
    ``first_of_data`` is the step to which the first of the streamed batches belongs.

    A step first judges the point it starts from, so the last points are judged, and their losses
    recorded, by the step that follows the last; ``last_good`` is then what the runs came to. It is
    over as soon as no lane is running.
    """
    plan: Plan = held.plan
    take_all = functools.partial(_take_steps, plan)
    if plan.mesh is not None:
        every, lanes = PartitionSpec(), PartitionSpec(plan.mesh.axis_names)
        carried = Carry(*layout_on(plan.mesh))  # type: ignore[arg-type]
        take_all = jax.shard_map(
            take_all,
            mesh=plan.mesh,
            in_specs=(every, carried, every, lanes, *[every] * 5),
            out_specs=(carried, every),
            # Devices know nothing of each other, so there is nothing to check.
            check_vma=False,
        )
    return take_all(template, carry, shuffled, points, keys, data, first_of_data, begin, end)


@functools.partial(jax.jit, static_argnums=(0, 1))
def evaluated(
    evaluate: ByIdentity,
    form: Form,
    hyperparameters: Any,
    points: Any,
    fixed: Any,
    params: Any,
    model_state: ModelState,
) -> Any:
    """The return value of ``evaluate`` in every lane."""

    def of_point(point: Any, params: Any, model_state: ModelState) -> Any:
        held, given = _with_fixed(model_state, fixed)
        model = form.close(params, held)
        arguments = (model,) if given is None else (model, given)
        return evaluate(*arguments, **at_point(hyperparameters, point))

    return jax.vmap(jax.vmap(of_point), (None, 0, 0))(points, params, model_state)


@functools.partial(jax.jit, static_argnums=(0,))
def picked(plan: Plan, carry: Carry, parents: jax.Array) -> Carry:
    """The lanes of these points, the others left behind."""
    lanes = jax.tree.map(lambda leaf: leaf[:, parents], carry.lanes)
    records = jax.tree.map(lambda leaf: leaf[:, :, parents], carry.records)
    return _on_devices(plan, Carry(lanes, records))


def _take_steps(
    plan: Plan,
    template: Swept,
    carry: Carry,
    shuffled: Shuffled | None,
    points: Any,
    keys: Keys,
    data: Any,
    first_of_data: Any,
    begin: Any,
    end: Any,
) -> tuple[Carry, Shuffled | None]:
    def take(carried: Any) -> Any:
        step, shuffled, (lanes, records) = carried
        if shuffled is not None and plan.sampler is not None:
            shuffled = shuffled.at(plan.sampler, keys.order, step)

        def of_seed(lanes: Lane, order: Any, key: Keys) -> tuple[Lane, Any]:
            on_batch = _on_batch(plan, data, order, step, first_of_data)
            step_key = jax.random.fold_in(key.step, step)

            def of_point(lane: Lane, point: Any) -> tuple[Lane, Any]:
                return _step_of_lane(
                    plan, at_point(template, point), lane, on_batch, step_key, step
                )

            return jax.vmap(of_point)(lanes, points)

        orders = None if shuffled is None else shuffled.orders
        lanes, record = jax.vmap(of_seed)(lanes, orders, keys)
        last = step == plan.steps
        index = jnp.where(last, len(plan.recorded_steps) - 1, step // plan.record_every)
        kept = last | (step % plan.record_every == 0)
        records = jax.tree.map(
            lambda all_, new: all_.at[index].set(jnp.where(kept, new, all_[index])),
            records,
            record,
        )
        return step + 1, shuffled, Carry(lanes, records)

    def goes_on(carried: Any) -> jax.Array:
        step, _, (lanes, _) = carried
        return (step < end) & jnp.any(lanes.status == RUNNING)

    begin = jnp.asarray(begin)
    _, shuffled, carry = jax.lax.while_loop(goes_on, take, (begin, shuffled, carry))
    return carry, shuffled


def _step_of_lane(
    plan: Plan, swept: Swept, lane: Lane, on_batch: OnBatch, key: jax.Array, step: jax.Array
) -> tuple[Lane, Any]:
    params = lane.progress.params
    objective = functools.partial(_objective, plan.objective, swept)
    counted, calls = _counted(on_batch)
    draws = plan.sampler is not None and plan.sampler.batches_per_epoch > 1
    same = plan.objective.has_no_side_results and not plan.objective.is_random(key)
    is_first = step == 0 if same and not (draws or plan.streamed) else None
    new, seen = take_step(objective, swept.tx, lane.progress, counted, key, is_first)

    value = seen.value
    first = jnp.where(step == 0, value, lane.first_loss).astype(lane.first_loss.dtype)
    bound = jnp.where(first == 0, jnp.inf, plan.divergence_factor * jnp.abs(first))
    good = jnp.isfinite(value) & (value <= bound) & all_finite(params)
    was_running = lane.status == RUNNING
    alive = was_running & good
    running = alive & ~_reached(plan, seen)
    last_good = _select(alive, LastGood.of(lane.progress), lane.last_good)
    kept = last_good.params, last_good.model_state
    params, model_state = _select(running, (new.params, new.model_state), kept)
    status = jnp.where(good, jnp.where(running, RUNNING, CONVERGED), DIVERGED)
    nan = jax.tree.map(
        lambda leaf: jnp.full(jnp.shape(leaf), jnp.nan, _inexact(leaf)), (value, seen.aux)
    )
    record = _select(alive, (value, seen.aux), nan)
    lane = Lane(
        # The optimizer's state is of no use to a lane that has stopped, so it may go where it will.
        progress=Progress(params, new.state, model_state),
        last_good=last_good,
        first_loss=first,
        loss=jnp.where(was_running, record[0], lane.loss).astype(lane.loss.dtype),
        status=jnp.where(was_running, status, lane.status).astype(lane.status.dtype),
        stopped_at=jnp.where(was_running & ~running, step, lane.stopped_at),
        evaluations=lane.evaluations + jnp.where(was_running, len(calls), 0),
    )
    return lane, record


def _objective(
    objective: Objective,
    swept: Swept,
    params: Any,
    batch: Any,
    key: jax.Array | None,
    model_state: ModelState,
) -> tuple[jax.Array, tuple[ModelState, Any]]:
    """The objective at one point, of a lane's own model state."""
    whole = _with_fixed(model_state, swept.fixed)
    value, (new, aux) = objective(params, batch, key, whole, swept.hyperparameters)
    return value, (new._replace(held=model_state.held._replace(carried=new.held.carried)), aux)


def _with_fixed(model_state: ModelState, fixed: Any) -> ModelState:
    """The model state of a lane, with the arrays that all lanes share if they do."""
    if fixed is None:
        return model_state
    return model_state._replace(held=model_state.held._replace(fixed=fixed))


def _counted(on_batch: OnBatch) -> tuple[OnBatch, list[Any]]:
    """``on_batch`` and the list of what it was called with while it is traced."""
    calls: list[Any] = []

    def counted(fun: Callable[[Any], Any]) -> Any:
        calls.append(fun)
        return on_batch(fun)

    return counted, calls


def _reached(plan: Plan, seen: Seen) -> jax.Array:
    """Tell whether all targets are reached, if there are any."""
    if not plan.targets:
        return jnp.array(False)
    aux = named(seen.aux, "aux")
    known = {"loss": lambda: seen.value, "gradient_norm": lambda: global_norm(seen.grad)}
    values = [known[name]() if name in known else aux[name] for name, _ in plan.targets]
    bounds = [bound for _, bound in plan.targets]
    return jnp.all(jnp.array([v <= bound for v, bound in zip(values, bounds, strict=True)]))


def _on_batch(plan: Plan, data: Any, order: Any, step: Any, first_of_data: Any) -> OnBatch:
    if not plan.streamed:
        return on_batch_of(plan.sampler, data, order, step)
    return on_batch_in(data, step - first_of_data)


def _shape_of_record(
    plan: Plan, template: Swept, progress: Progress, points: Any, key: jax.Array, data: Any
) -> Any:
    """Shapes and dtypes of loss and aux."""

    def see(progress: Progress, points: Any, key: jax.Array, data: Any) -> Any:
        if plan.streamed:
            data = jax.tree.map(lambda stack: stack[0], data)
        elif plan.sampler is not None:
            size = plan.sampler.batch_size
            data = jax.tree.map(lambda leaf: jnp.asarray(leaf)[:size], data)
        params, _, model_state = jax.tree.map(lambda leaf: leaf[0, 0], progress)
        first = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], points)
        swept = at_point(template, first)
        value, (_, aux) = _objective(plan.objective, swept, params, data, key, model_state)
        named_scalars(jax.tree.map(jnp.asarray, aux), "aux", AUX, leading=0)
        return value, aux

    return jax.eval_shape(see, progress, points, key, data)


class Layout(NamedTuple):
    """The shardings of the parts of a carry."""

    lanes: PartitionSpec
    records: PartitionSpec


def layout_on(mesh: Mesh) -> Layout:
    """A part of the points on each device."""
    names = mesh.axis_names
    return Layout(PartitionSpec(None, names), PartitionSpec(None, None, names))


def _on_devices(plan: Plan, carry: Carry) -> Carry:
    if plan.mesh is None:
        return carry
    lanes, records = (NamedSharding(plan.mesh, spec) for spec in layout_on(plan.mesh))
    constrain = jax.lax.with_sharding_constraint
    return Carry(constrain(carry.lanes, lanes), constrain(carry.records, records))


def _select(flag: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(flag, a, b), new, old)


def _inexact(leaf: Any) -> Any:
    """The dtype of a leaf, if it can hold a NaN and at least float32's digits; else float32."""
    dtype = jnp.result_type(leaf)
    return dtype if jnp.issubdtype(dtype, jnp.inexact) and dtype.itemsize >= 4 else jnp.float32

"""All lanes of a sweep as one program, run in chunks of steps.

A lane is one run: a seed, and a point of the grid. Seeds are the outer dimension, so that a batch
is drawn once for all points of the grid, which see the same batches.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.numerics import strong
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.grid import at_point, points
from gdlab.training.batches import EpochSampler
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.step import Progress, on_batch_of, take_step
from gdlab.transforms.guarding import all_finite

RUNNING = -1
"""What ``diverged_at`` holds for a lane that has not diverged."""


class Plan(NamedTuple):
    """What is fixed when the programs are compiled."""

    objective: Objective
    sampler: EpochSampler | None
    steps: int
    record_every: int
    divergence_factor: float

    @property
    def recorded_steps(self) -> list[int]:
        """Every ``record_every``-th step, and the one that would follow the last."""
        return [*range(0, self.steps, self.record_every), self.steps]


class Keys(NamedTuple):
    """The randomness of a seed, the same at all points of the grid."""

    init: jax.Array
    order: jax.Array
    step: jax.Array


class Lane(NamedTuple):
    """What one run carries."""

    progress: Progress
    last_good: tuple[Any, Any]
    """Parameters and model state when they and the loss were last finite and small enough."""
    first_loss: jax.Array
    diverged_at: jax.Array
    """The step at which the lane diverged, or ``RUNNING``."""


class Carry(NamedTuple):
    """What all runs carry from chunk to chunk."""

    lanes: Lane
    """With leading axes of seeds and points."""
    order: Any
    """The order of the examples in this epoch, with a leading axis of seeds."""
    records: Any
    """Loss and aux at the recorded steps, with leading axes of these, seeds and points."""


@jax.jit
def keys_of(key: jax.Array, seeds: jax.Array) -> Keys:
    """The keys of each seed, with a leading axis of seeds."""
    split = jax.vmap(lambda seed: jax.random.split(jax.random.fold_in(key, seed), 3))(seeds)
    return Keys(split[:, 0], split[:, 1], split[:, 2])


@functools.partial(jax.jit, static_argnums=(0, 1))
def start_of_seeds(plan: Plan, init: ByIdentity | None, params: Any, keys: Keys) -> tuple[Any, Any]:
    """Parameters and order of the examples, with a leading axis of seeds.

    It is apart from :func:`start` since it does not depend on the optimizer.
    """

    def of_seed(key: Keys) -> tuple[Any, Any]:
        first = strong(jax.tree.map(jnp.asarray, init(key.init) if init else params))
        return first, None if plan.sampler is None else plan.sampler.order(key.order, 0)

    return jax.vmap(of_seed)(keys)


@functools.partial(jax.jit, static_argnums=(0,))
def start(
    plan: Plan, tx: GradientTransformation, of_seeds: Any, keys: Keys, data: Any, model_state: Any
) -> Carry:
    """All runs before their first step."""
    grid, size = points(tx)
    params, order = of_seeds
    model_state = strong(jax.tree.map(jnp.asarray, model_state))

    def of_seed(params: Any) -> Lane:
        def of_point(point: Any) -> Lane:
            progress = Progress(params, at_point(tx, point).init(params), model_state)
            good = (params, model_state)
            return Lane(progress, good, jnp.full((), jnp.nan), jnp.full((), RUNNING))

        return jax.vmap(of_point, axis_size=size)(grid)

    shape = (len(plan.recorded_steps), len(keys.init), size)
    records = jax.tree.map(
        lambda leaf: jnp.full(shape + leaf.shape, jnp.nan, _inexact(leaf)),
        _record_of_a_step(plan, params, keys, data, model_state),
    )
    return Carry(jax.vmap(of_seed)(params), order, records)


@functools.partial(jax.jit, static_argnums=(0,), donate_argnums=(1,))
def advance(
    plan: Plan,
    carry: Carry,
    tx: GradientTransformation,
    keys: Keys,
    data: Any,
    begin: Any,
    end: Any,
) -> Carry:
    """Take the steps from ``begin`` to ``end``, whose number is not compiled in.

    A step first judges the point it starts from, so the last points are judged, and their losses
    recorded, by the step that follows the last; ``last_good`` is then what the runs came to.
    """
    grid, size = points(tx)

    def take(step: jax.Array, carry: Carry) -> Carry:
        def of_seed(lanes: Lane, order: Any, key: Keys) -> tuple[Lane, Any, Any]:
            if plan.sampler is not None:
                order = plan.sampler.reshuffle(order, key.order, step)
            on_batch = on_batch_of(plan.sampler, data, order, step)
            step_key = jax.random.fold_in(key.step, step)

            def of_point(lane: Lane, point: Any) -> tuple[Lane, Any]:
                return _step_of_lane(plan, lane, at_point(tx, point), on_batch, step_key, step)

            lanes, record = jax.vmap(of_point, axis_size=size)(lanes, grid)
            return lanes, order, record

        lanes, order, record = jax.vmap(of_seed)(carry.lanes, carry.order, keys)
        last = step == plan.steps
        index = jnp.where(last, len(plan.recorded_steps) - 1, step // plan.record_every)
        kept = last | (step % plan.record_every == 0)
        records = jax.tree.map(
            lambda all_, new: all_.at[index].set(jnp.where(kept, new, all_[index])),
            carry.records,
            record,
        )
        return Carry(lanes, order, records)

    return jax.lax.fori_loop(begin, end, take, carry)


@functools.partial(jax.jit, static_argnums=(0,))
def evaluated(evaluate: ByIdentity, params: Any, model_state: Any) -> Any:
    """What ``evaluate`` returns in every lane."""
    arguments = (params,) if model_state is None else (params, model_state)
    return jax.vmap(jax.vmap(evaluate))(*arguments)


def _step_of_lane(
    plan: Plan,
    lane: Lane,
    tx: GradientTransformation,
    on_batch: Callable[[Callable[[Any], Any]], Any],
    key: jax.Array,
    step: jax.Array,
) -> tuple[Lane, Any]:
    params, _, model_state = lane.progress
    new, value, aux = take_step(plan.objective, tx, lane.progress, on_batch, key)

    first = jnp.where(step == 0, value, lane.first_loss).astype(lane.first_loss.dtype)
    bound = jnp.where(first == 0, jnp.inf, plan.divergence_factor * jnp.abs(first))
    good = jnp.isfinite(value) & (value <= bound) & all_finite(params)
    was_running = lane.diverged_at == RUNNING
    running = was_running & good
    last_good = _select(running, (params, model_state), lane.last_good)
    params, model_state = _select(running, (new.params, new.model_state), last_good)
    lane = Lane(
        # The optimizer's state is of no use to a lane that has stopped, so it may go where it will.
        progress=Progress(params, new.state, model_state),
        last_good=last_good,
        first_loss=first,
        diverged_at=jnp.where(was_running & ~good, step, lane.diverged_at),
    )
    nan = jax.tree.map(
        lambda leaf: jnp.full(jnp.shape(leaf), jnp.nan, _inexact(leaf)), (value, aux)
    )
    return lane, _select(running, (value, aux), nan)


def _record_of_a_step(plan: Plan, params: Any, keys: Keys, data: Any, model_state: Any) -> Any:
    """Shapes and dtypes of loss and aux."""

    def evaluate(data: Any) -> Any:
        first = jax.tree.map(lambda leaf: leaf[0], params)
        size = plan.sampler and plan.sampler.batch_size
        batch = jax.tree.map(lambda leaf: jnp.asarray(leaf)[:size], data)
        value, (_, aux) = plan.objective(first, batch, keys.step[0], model_state)
        return value, aux

    return jax.eval_shape(evaluate, data)


def _select(flag: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(flag, a, b), new, old)


def _inexact(leaf: Any) -> Any:
    return jnp.promote_types(jnp.result_type(leaf), jnp.float32)

"""The state of a sweep on the devices: the state of every lane, and the recorded values."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gdlab.core.state import evaluates_elsewhere, evaluation_params
from gdlab.devices.mesh import LANES
from gdlab.sweeps.plan.task import ProgramStructure, Rows
from gdlab.training.batches import EpochSampler
from gdlab.training.step import Progress

RUNNING, DIVERGED, CONVERGED = 0, 1, 2
"""The status of a lane."""


class LaneState(NamedTuple):
    """The state of one run."""

    progress: Progress
    last_good: "LastGood"
    """The progress at the last step where parameters and loss were finite and the loss in
    bounds."""
    first_loss: jax.Array
    loss: jax.Array
    """The loss that was seen last, or with which the lane stopped; NaN if it diverged."""
    status: jax.Array
    stopped_at: jax.Array
    """The step at which the lane stopped, −1 if it has not."""
    evaluations: jax.Array
    """The number of evaluations of the loss or its gradient; those in a loop count once a step."""
    improvement: "Improvement | None"
    """The best value of the metric that stops lanes without improvement; None without patience."""


class Improvement(NamedTuple):
    """The progress of a metric of one run."""

    best: jax.Array
    """The best value so far."""
    since: jax.Array
    """The number of evaluations since the best value."""


class Records(NamedTuple):
    """The values that are recorded of a step or of several."""

    loss: Any
    aux: Any
    metrics: dict[str, Any]
    """The evaluation metrics on the way, at steps of their own."""

    def map(self, function: Callable[..., Any], rows: Rows, *others: "Records") -> "Records":
        """Map ``function(rows, leaf, *leaves of the others)`` over the leaves of all fields."""
        parts = zip((rows.recorded, rows.recorded, rows.evaluated), self, *others, strict=True)
        return Records(
            *(jax.tree.map(functools.partial(function, of), *part) for of, *part in parts)
        )


class LastGood(NamedTuple):
    """The parameters of a run, with the model state and averaged parameters of the same step."""

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


class SweepState(NamedTuple):
    """The state of a sweep: that of all its lanes, and what was recorded of them."""

    lanes: LaneState
    """The lanes, with leading axes of seeds and points."""
    records: Records
    """The values at the recorded steps, with leading axes of these, seeds and points."""


class EpochOrders(NamedTuple):
    """The order of the examples in one epoch for each seed, kept from call to call.

    They depend on nothing but the keys of the seeds and the epoch, but shuffling many examples
    costs as much as many steps.
    """

    epoch: jax.Array
    """The epoch for which the orders were drawn, −1 before the first draw."""
    orders: jax.Array
    """The order of each seed, of shape ``(seeds, examples)``."""

    @classmethod
    def none_yet(cls, sampler: EpochSampler | None, seeds: int) -> "EpochOrders | None":
        """The orders to begin with; None where there is nothing to shuffle."""
        if sampler is None or sampler.batches_per_epoch == 1:
            return None
        return cls(jnp.full((), -1, jnp.int32), jnp.zeros((seeds, sampler.size), jnp.int32))

    def at(self, sampler: EpochSampler, keys: jax.Array, step: jax.Array) -> "EpochOrders":
        """The orders of the epoch of a step, drawn anew unless they are these."""
        epoch = step // sampler.batches_per_epoch

        def draw() -> jax.Array:
            return jax.vmap(sampler.order, (0, None))(keys, step)

        orders = jax.lax.cond(epoch == self.epoch, lambda: self.orders, draw)
        return EpochOrders(epoch.astype(self.epoch.dtype), orders)


def specs_of(structure: ProgramStructure, state: SweepState) -> SweepState:
    """The partition of each array: points over the rows of the mesh, a lane within one row."""
    leading = None, LANES
    lanes = jax.tree.map(lambda _: PartitionSpec(*leading), state.lanes)
    if (split := structure.split) is not None:
        kept = state.lanes.last_good
        lanes = lanes._replace(
            progress=lanes.progress._replace(
                params=split.of_params(state.lanes.progress.params, leading),
                state=split.of_state(state.lanes.progress.state, leading),
            ),
            last_good=lanes.last_good._replace(
                params=split.of_params(kept.params, leading),
                averaged=kept.averaged and split.of_params(kept.averaged, leading),
            ),
        )
    records = jax.tree.map(lambda _: PartitionSpec(None, *leading), state.records)
    return SweepState(lanes, records)


def on_devices(structure: ProgramStructure, state: SweepState) -> SweepState:
    """The state, with each array constrained to its devices."""
    return placed_on(structure.mesh, state, specs_of(structure, state))


def placed_on(mesh: Mesh | None, tree: Any, specs: Any) -> Any:
    """A traced tree, constrained to a mesh as specified; unchanged if there is no mesh."""
    if mesh is None:
        return tree
    shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
    return jax.lax.with_sharding_constraint(tree, shardings)

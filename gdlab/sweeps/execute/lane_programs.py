"""The work of the devices on groups of lanes."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from gdlab.axes.grid import Points
from gdlab.axes.naming import named_scalars
from gdlab.axes.slots import slot_names
from gdlab.core.jaxprs import size_of_products
from gdlab.devices.memory import lanes_in_cache, points_that_fit
from gdlab.devices.mesh import evenly, is_on_host, on_all_devices, padded, parts_of_lanes
from gdlab.devices.shape_cache import ShapeCache
from gdlab.devices.transfer import shape_on_host, to_devices, to_host
from gdlab.sweeps.compiled import programs
from gdlab.sweeps.compiled.evaluation import evaluated, metrics_of
from gdlab.sweeps.compiled.lane_state import EpochOrders, LastGood, SweepState, specs_of
from gdlab.sweeps.compiled.weak_structure import WeakStructure
from gdlab.sweeps.execute.groups import LaneGroup
from gdlab.sweeps.execute.tables import GroupResult
from gdlab.sweeps.plan.first_model import first_model
from gdlab.sweeps.plan.task import POINT_NUMBER, Rows, SweepTask
from gdlab.training.loader import Stream
from gdlab.training.models import OpenedModel
from gdlab.training.seed_keys import SeedKeys, seed_keys

_SHAPES: ShapeCache[SweepState] = ShapeCache()
_METRICS: ShapeCache[dict[str, Any]] = ShapeCache()
_KEYS: ShapeCache[SeedKeys] = ShapeCache()
_PRODUCTS: ShapeCache[int] = ShapeCache()


class LanePrograms:
    """The work of the devices on a group of lanes.

    Raises:
        ValueError, TypeError: whatever tracing finds wrong, before anything is compiled.
    """

    def __init__(self, task: SweepTask):
        # The arrays that all lanes share are brought to the devices once.
        template = task.template
        template = template._replace(fixed=on_all_devices(template.fixed, task.structure.mesh))
        self.task: SweepTask = dataclasses.replace(task, template=template)
        used = slot_names((task.first, task.init_hyperparameters))
        self._structure = WeakStructure(self.task)
        self._orders: tuple[np.ndarray, EpochOrders | None] = np.zeros(0, int), None
        self._of_start = {name for name in task.points if name in used}
        self._data = task.data
        if isinstance(task.data, Stream):
            self._data = task.data.like()
        self.shape: SweepState = self._shape(task.points, task.seeds)
        self.metrics: dict[str, Any] = _METRICS.get(
            (task.evaluate, task.structure),
            (self.shape, task.points, task.template),
            self._shape_of_metrics,
        )

    @property
    def aux(self) -> dict[str, Any]:
        """Shapes and dtypes of the auxiliary values of the loss at the recorded steps, by name."""
        return named_scalars(self.shape.records.aux, "aux", programs.AUX, leading=3)

    def seeds_and_points_at_once(self) -> tuple[int, int]:
        """The numbers of seeds and of points whose lanes are best computed together."""
        task, mesh = self.task, self.task.structure.mesh
        leaves = jax.tree.leaves(self.shape.lanes)
        of_state = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
        of_state /= task.size * len(task.seeds)
        seeds, count = self._filling_caches(of_state)
        if is_on_host(mesh):
            seeds, count = self._filling_caches(of_state + self._products_of_a_lane(seeds, count))
        state, orders, inputs = self._arguments_of_steps(seeds, count)
        fit = points_that_fit(
            programs.advance,
            (self._structure,),
            (state, orders, inputs),
            len(inputs.points[POINT_NUMBER]),
            (self._data, task.template.fixed, orders),
            mesh,
        )
        return seeds, min(fit, self._evaluated_at_once(state, inputs.points))

    def _filling_caches(self, bytes_of_a_lane: float) -> tuple[int, int]:
        """The numbers of seeds and points whose lanes together fit into a processor's caches.

        If the points of one seed fill them, each seed is computed by itself: points of one seed see
        the same batches, whose products with the parameters of all of them are one product.
        """
        size, seeds = self.task.size, len(self.task.seeds)
        lanes = lanes_in_cache(bytes_of_a_lane, self.task.structure.mesh)
        seeds = 1 if lanes <= size else seeds
        return seeds, evenly(size, max(1, int(min(lanes / seeds, size))))

    def _products_of_a_lane(self, seeds: int, count: int) -> float:
        """Bytes of the results of all matrix products in one step of one lane."""
        arguments = self._arguments_of_steps(seeds, count)

        def all_products() -> int:
            return size_of_products(programs.advance.trace(self._structure, *arguments).jaxpr.jaxpr)

        # The program of several devices has the shapes of one device's part.
        points = len(arguments[2].points[POINT_NUMBER]) / parts_of_lanes(self.task.structure.mesh)
        return _PRODUCTS.get(self._structure, arguments, all_products) / (seeds * points)

    def _arguments_of_steps(
        self, seeds: int, count: int
    ) -> tuple[SweepState, EpochOrders | None, programs.StepInputs]:
        """Shapes and dtypes of the arguments of the program of steps, by the size of a group."""
        task, numbers, points = self.task, self.task.seeds[:seeds], self.first_points(count)
        data = self._data
        if task.structure.mesh is not None:
            data = self._on_all(jax.eval_shape(lambda data: data, data))
        keys = _KEYS.get((), (task.key, numbers), lambda: jax.eval_shape(self._keys, numbers))
        orders = jax.eval_shape(lambda: EpochOrders.none_yet(task.structure.sampler, seeds))
        inputs = programs.StepInputs(task.template, points, keys, data, 0, 0, 1)
        return self._shape(points, numbers), self._on_all(orders), inputs

    def _evaluated_at_once(self, state: SweepState, points: Points) -> int:
        """The number of points that can be evaluated together while their state stays in memory."""
        task, size = self.task, len(points[POINT_NUMBER])
        if task.evaluate is None:
            return size
        # The parameters are an argument of the evaluation; the rest of the state needs memory
        # beside it.
        good, rest = state.lanes.last_good, state.lanes._replace(last_good=None)
        with task.structure.axes_of_lane():
            return points_that_fit(
                evaluated,
                self._static_of_evaluation,
                (task.template, points, good),
                size,
                task.template.fixed,
                task.structure.mesh,
                beside=(rest, state.records),
            )

    def first_points(self, count: int) -> Points:
        """The first ``count`` points, padded with copies of the last one."""
        members = padded(np.arange(count), self.task.structure.mesh)
        return {name: values[members] for name, values in self.task.points.items()}

    def traced(self, points: Points, end: int = 1) -> tuple[SweepState, dict[str, Any]]:
        """The computation of all steps before ``end``, as a traceable function of the points.

        Args:
            points: the hyperparameters of some points.
            end: the number of steps; one more than the task has takes the runs to their ends.

        Returns:
            The lanes after the steps, and their evaluation metrics by name.
        """
        task, keys = self.task, self._keys(self.task.seeds)
        state = self._start(points, task.seeds)
        orders = EpochOrders.none_yet(task.structure.sampler, len(task.seeds))
        inputs = programs.StepInputs(task.template, points, keys, self._data, 0, 0, end)
        state, _ = programs.advance(self._structure, state, orders, inputs)
        return state, self._evaluated(state, points)

    def start(self, group: LaneGroup) -> None:
        """Initialise a group that has not begun."""
        group.state = self._start(group.points, self.task.seeds[group.seeds])

    def bring(self, group: LaneGroup) -> None:
        """Make sure that a group is on the devices."""
        if group.state is None:
            self.start(group)
        elif group.on_host:
            group.state = self.on_devices(group.state, group)
            group.on_host = False

    def put_away(self, group: LaneGroup) -> None:
        """Move a group to the host, to make room on the devices for another."""
        group.state, group.on_host = to_host(group.state), True

    def on_devices(self, state: SweepState, group: LaneGroup) -> SweepState:
        """A state from :meth:`put_away` or from a checkpoint, moved back to the devices."""
        return to_devices(state, self._shape_of(group))

    def on_all_devices(self, data: Any) -> Any:
        """Data on all devices, so that they are not transferred at every call."""
        return on_all_devices(data, self.task.structure.mesh)

    def advance(self, group: LaneGroup, end: int, data: Any, first_of_data: int) -> None:
        """Take the steps of a group up to ``end``, and wait for them."""
        task = self.task
        keys = self._keys(task.seeds[group.seeds])
        inputs = programs.StepInputs(
            task.template, group.points, keys, data, first_of_data, group.steps, end
        )
        orders = self._orders_for(group.seeds)
        group.state, orders = programs.advance(self._structure, group.state, orders, inputs)
        jax.block_until_ready(group.state.lanes.status)
        self._orders = group.seeds, orders
        group.steps = end

    def _orders_for(self, seeds: np.ndarray) -> EpochOrders | None:
        """The kept orders of the examples for these seeds, whose buffers the next call reuses."""
        of_seeds, orders = self._orders
        self._orders = np.zeros(0, int), None
        if orders is not None and np.array_equal(of_seeds, seeds):
            return orders
        structure = self.task.structure
        return on_all_devices(EpochOrders.none_yet(structure.sampler, len(seeds)), structure.mesh)

    def pick(self, group: LaneGroup, of: LaneGroup, parents: np.ndarray) -> None:
        """Let a group continue from the members ``parents`` of the group ``of``, which is freed."""
        group.state = programs.picked(self.task.structure, of.state, parents)
        of.state = None

    def go_on(self, group: LaneGroup, lanes: Any) -> None:
        """Let a group continue from lanes on the host."""
        shape = self.shape_on_host(group)
        group.state, group.on_host = SweepState(lanes, _blank(shape.records)), True

    def result(self, group: LaneGroup, rows: Rows | None, **wanted: bool) -> GroupResult:
        """The results of a group, without padding, on the host.

        Args:
            group: the lanes.
            rows: the rows of the records to return; None for no records.
            wanted: the flags of :meth:`_padded_result` for the other fields.
        """
        result = self._padded_result(group.state, group.points, rows is not None, **wanted)
        return _unpadded(to_host(result), len(group.places), rows)

    def shape_of_result(self, group: LaneGroup, rows: Rows, **wanted: bool) -> GroupResult:
        """Shapes and dtypes of :meth:`result`."""

        def result(state: SweepState) -> GroupResult:
            return self._padded_result(state, group.points, rows is not None, **wanted)

        shape = shape_on_host(jax.eval_shape(result, self._shape_of(group)))
        return jax.eval_shape(lambda result: _unpadded(result, len(group.places), rows), shape)

    def _padded_result(
        self,
        state: SweepState,
        points: Points,
        records: bool,
        *,
        evaluate: bool = False,
        keep: bool = False,
        more: bool = False,
    ) -> GroupResult:
        """The results of a group, padded, with the fields that are asked for.

        Args:
            state: the state of the group.
            points: the hyperparameters of the group.
            records: whether to return the recorded steps.
            evaluate: whether to compute and return the metrics.
            keep: whether to return the parameters.
            more: whether to return the state from which further steps continue.
        """
        lanes = state.lanes
        return GroupResult(
            records=state.records if records else None,
            loss=lanes.loss,
            status=lanes.status,
            stopped_at=lanes.stopped_at,
            evaluations=lanes.evaluations,
            metrics=self._evaluated(state, points) if evaluate else {},
            params=self._kept(lanes.last_good) if keep else None,
            lanes=lanes if more else None,
        )

    def _kept(self, good: LastGood) -> Any:
        """The parameters of lanes, within models where models were given."""
        form = self.task.structure.objective.form
        return OpenedModel(good.to_evaluate, good.model_state.held, form).unless_plain()

    def shape_on_host(self, group: LaneGroup) -> SweepState:
        """Shapes and dtypes of the state of a group on the host."""
        return shape_on_host(self._shape_of(group))

    def _shape_of(self, group: LaneGroup) -> SweepState:
        return self._shape(group.points, self.task.seeds[group.seeds])

    def _keys(self, seeds: Any) -> SeedKeys:
        return seed_keys(self.task.key, seeds)

    def _start(self, points: Points, seeds: Any) -> SweepState:
        task, keys = self.task, self._keys(seeds)
        of_start = {name: points[name] for name in self._of_start}
        model = self._model(of_start, keys.init)
        with task.structure.axes_of_lane():
            return programs.start(
                task.structure,
                bool(of_start),
                task.template,
                model,
                points,
                keys,
                self._data,
                task.model_state,
            )

    def _model(self, points: Points, keys: jax.Array) -> OpenedModel:
        """The model before the first step: at each point, or one for all if no points are given."""
        task = self.task
        make = first_model
        if task.structure.split is not None:
            make = functools.partial(programs.split_model, task.structure)
        return make(task.init, task.first, task.init_hyperparameters, points, keys)

    def _shape(self, points: Points, seeds: Any) -> SweepState:
        """Shapes, dtypes and shardings of the state of the lanes."""
        task = self.task
        shape = _SHAPES.get(
            (task.structure, task.init),
            (
                (task.template, task.first, task.init_hyperparameters, task.model_state),
                (points, seeds, task.key, self._data),
            ),
            lambda: jax.eval_shape(self._start, points, seeds),
        )
        return self._on(specs_of(task.structure, shape), shape)

    def _on(self, specs: Any, shapes: Any) -> Any:
        """Shapes and dtypes, with shardings if there are several devices."""
        if (mesh := self.task.structure.mesh) is None:
            return shapes

        def placed(leaf: Any, spec: PartitionSpec) -> jax.ShapeDtypeStruct:
            sharding = NamedSharding(mesh, spec)
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        return jax.tree.map(placed, shapes, specs)

    def _on_all(self, shapes: Any) -> Any:
        """Shapes and dtypes of arrays that are replicated over all devices."""
        return self._on(jax.tree.map(lambda _: PartitionSpec(), shapes), shapes)

    def _evaluated(self, state: SweepState, points: Points) -> dict[str, Any]:
        """The evaluation metrics by name."""
        task = self.task
        if task.evaluate is None:
            return {}
        with task.structure.axes_of_lane():
            good = state.lanes.last_good
            return evaluated(*self._static_of_evaluation, task.template, points, good)

    def _shape_of_metrics(self) -> dict[str, Any]:
        """Shapes and dtypes of the evaluation metrics of all lanes, by name."""
        task, good = self.task, self.shape.lanes.last_good
        if task.evaluate is None:
            return {}
        form = task.structure.objective.form
        compute = functools.partial(metrics_of, task.evaluate, form, False)
        with task.structure.axes_of_lane():
            return jax.eval_shape(compute, task.template, task.points, good)

    @property
    def _static_of_evaluation(self) -> tuple[Any, ...]:
        """The static arguments of the program that evaluates."""
        structure = self.task.structure
        mesh = structure.mesh if structure.split is None else None
        return self.task.evaluate, structure.objective.form, structure.keeps_in_cache, mesh


def _unpadded(result: GroupResult, count: int, rows: Rows | None) -> GroupResult:
    """The first ``count`` points of a result, and these rows of its records."""
    records = None
    if rows is not None:
        take = lambda of, leaf: leaf[np.asarray(of, int), :, :count]  # noqa: E731
        records = result.records.map(take, rows)
    others = result._replace(records=None)
    return jax.tree.map(lambda leaf: leaf[:, :count], others)._replace(records=records)


def _blank(shapes: Any) -> Any:
    return jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan, leaf.dtype), shapes)

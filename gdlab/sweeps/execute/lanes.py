"""Groups of lanes, and what the devices do with a group."""

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gdlab.sweeps.execute import engine
from gdlab.sweeps.execute.engine import Carry, Keys, LastGood, Plan, Shuffled, Swept
from gdlab.sweeps.execute.memo import Memo
from gdlab.sweeps.execute.memory import points_in_cache, points_that_fit
from gdlab.sweeps.execute.tables import Patch
from gdlab.sweeps.execute.transfer import shape_on_host, to_devices, to_host
from gdlab.sweeps.execute.weak_keys import PlanOf
from gdlab.sweeps.plan.grid import Points, slot_names
from gdlab.sweeps.plan.groups import Group, evenly, padded
from gdlab.sweeps.plan.naming import FIELDS, named_scalars
from gdlab.training.loader import Stream
from gdlab.training.models import OpenedModel
from gdlab.training.objective import ByIdentity

NUMBER = ""
"""The name of a point's number among its hyperparameters, which no axis can have."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """One optimizer on one problem, with slots in place of axes."""

    plan: Plan
    template: Swept
    init: ByIdentity | None
    first: OpenedModel | None
    """The model to start from, unless there is ``init``."""
    init_hyperparameters: dict[str, Any]
    evaluate: ByIdentity | None
    evaluate_hyperparameters: dict[str, Any]
    data: Any
    """The arrays, or the :class:`Stream`, that batches come from."""
    model_state: Any
    points: Points
    """The hyperparameters at all points, of shape ``(points,)`` each, and their numbers."""
    seeds: np.ndarray
    key: jax.Array


_SHAPES: Memo[Carry] = Memo()
_METRICS: Memo[dict[str, Any]] = Memo()
_KEYS: Memo[Keys] = Memo()


class Lanes:
    """The work of the devices on a group of lanes.

    Raises:
        ValueError, TypeError: whatever tracing finds wrong, before anything is compiled.
    """

    def __init__(self, setup: Setup):
        # The arrays that all lanes share are brought to the devices once.
        template = setup.template
        template = template._replace(fixed=_on_all_devices(template.fixed, setup.plan.mesh))
        self.setup: Setup = dataclasses.replace(setup, template=template)
        used = slot_names((setup.first, setup.init_hyperparameters))
        self._plan = PlanOf(self.setup)
        self._shuffled: tuple[np.ndarray, Shuffled | None] = np.zeros(0, int), None
        self._of_start = {name for name in setup.points if name in used}
        self._data = setup.data
        if isinstance(setup.data, Stream):
            self._data = setup.data.like()
        self.shape: Carry = self._shape(setup.points, setup.seeds)
        self.metrics: dict[str, Any] = _METRICS.get(
            (setup.evaluate, setup.plan),
            (self.shape, setup.points, setup.evaluate_hyperparameters),
            lambda: jax.eval_shape(self._evaluated, self.shape, setup.points),
        )

    @property
    def aux(self) -> dict[str, Any]:
        """Shapes and dtypes of the auxiliary values of the loss at the recorded steps, by name."""
        return named_scalars(self.shape.records[1], "aux", engine.AUX, leading=3)

    def points_at_once(self, seeds: int) -> int:
        """The number of points, with so many seeds each, that are best computed together."""
        setup, numbers, mesh = self.setup, self.setup.seeds[:seeds], self.setup.plan.mesh
        size = len(setup.points[NUMBER])
        of_all = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self.shape.lanes))
        of_a_point = of_all / size * len(numbers) / len(setup.seeds)
        most = min(size, int(points_in_cache(of_a_point, len(numbers), mesh)))
        points = self.first_points(evenly(size, most))
        data = self._data
        if mesh is not None:
            data = self._on(PartitionSpec(), jax.eval_shape(lambda data: data, data))
        keys = _KEYS.get((), (setup.key, numbers), lambda: jax.eval_shape(self._keys, numbers))
        shuffled = jax.eval_shape(lambda: Shuffled.none_yet(setup.plan.sampler, len(numbers)))
        shuffled = self._on(PartitionSpec(), shuffled)
        arguments = (
            setup.template,
            self._shape(points, numbers),
            shuffled,
            points,
            keys,
            data,
            0,
            0,
            1,
        )
        return points_that_fit(
            engine.advance,
            (self._plan,),
            arguments,
            len(points[NUMBER]),
            (self._data, setup.template.fixed, shuffled),
            mesh,
        )

    def first_points(self, count: int) -> Points:
        """So many points, padded."""
        members = padded(np.arange(count), self.setup.plan.mesh)
        return {name: values[members] for name, values in self.setup.points.items()}

    def programs(self, points: Points) -> Any:
        """All that is computed, to be traced."""
        setup, keys = self.setup, self._keys(self.setup.seeds)
        carry = self._start(points, setup.seeds)
        shuffled = Shuffled.none_yet(setup.plan.sampler, len(setup.seeds))
        last = points, keys, self._data, 0, 0, 1
        carry, _ = engine.advance(self._plan, setup.template, carry, shuffled, *last)
        return carry, self._evaluated(carry, points)

    def start(self, group: Group) -> None:
        """Bring a group that has not begun before its first step."""
        group.carry = self._start(group.points, self.setup.seeds[group.seeds])

    def bring(self, group: Group) -> None:
        """Make sure that a group is on the devices."""
        if group.carry is None:
            self.start(group)
        elif group.on_host:
            group.carry = self.on_devices(group.carry, group)
            group.on_host = False

    def put_away(self, group: Group) -> None:
        """Hold a group on the host, to make room for another."""
        group.carry, group.on_host = to_host(group.carry), True

    def on_devices(self, carry: Carry, group: Group) -> Carry:
        """The state that :meth:`put_away` or a checkpoint holds, back on the devices."""
        like = self._shape_of(group)
        if self.setup.plan.mesh is None:
            return to_devices(carry, like)
        spec = engine.layout_on(self.setup.plan.mesh)
        lanes, records = (NamedSharding(self.setup.plan.mesh, s) for s in spec)
        return Carry(
            to_devices(carry.lanes, like.lanes, lanes),
            to_devices(carry.records, like.records, records),
        )

    def on_all_devices(self, data: Any) -> Any:
        """Data where they are needed, so that they are not brought there for every call."""
        return _on_all_devices(data, self.setup.plan.mesh)

    def advance(self, group: Group, end: int, data: Any, first_of_data: int) -> None:
        """Take the steps of a group up to ``end``, and wait for them."""
        setup = self.setup
        keys = self._keys(setup.seeds[group.seeds])
        group.carry, shuffled = engine.advance(
            self._plan,
            setup.template,
            group.carry,
            self._shuffled_for(group.seeds),
            group.points,
            keys,
            data,
            first_of_data,
            group.steps,
            end,
        )
        jax.block_until_ready(group.carry.lanes.status)
        self._shuffled = group.seeds, shuffled
        group.steps = end

    def _shuffled_for(self, seeds: np.ndarray) -> Shuffled | None:
        """The orders of the examples for these seeds, which are given away: they are reused."""
        of_seeds, shuffled = self._shuffled
        self._shuffled = np.zeros(0, int), None
        if shuffled is not None and np.array_equal(of_seeds, seeds):
            return shuffled
        plan = self.setup.plan
        return _on_all_devices(Shuffled.none_yet(plan.sampler, len(seeds)), plan.mesh)

    def pick(self, group: Group, of: Group, parents: np.ndarray) -> None:
        """Let a group go on from these members of another, which is left behind."""
        group.carry = engine.picked(self.setup.plan, of.carry, parents)
        of.carry = None

    def go_on(self, group: Group, lanes: Any) -> None:
        """Let a group go on from lanes that are on the host."""
        shape = self.shape_on_host(group)
        group.carry, group.on_host = Carry(lanes, _blank(shape.records)), True

    def patch(self, group: Group, rows: list[int], **wanted: bool) -> Patch:
        """The results of a group, without padding, on the host.

        Args:
            group: which lanes they are.
            rows: which recorded steps are wanted.
            wanted: what else is, see :meth:`_padded_patch`.
        """
        patch = self._padded_patch(group.carry, group.points, bool(rows), **wanted)
        return _unpadded(to_host(patch), len(group.places), rows)

    def shape_of_patch(self, group: Group, rows: list[int], **wanted: bool) -> Patch:
        """Shapes and dtypes of :meth:`patch`."""

        def patch(carry: Carry) -> Patch:
            return self._padded_patch(carry, group.points, bool(rows), **wanted)

        shape = shape_on_host(jax.eval_shape(patch, self._shape_of(group)))
        return jax.eval_shape(lambda patch: _unpadded(patch, len(group.places), rows), shape)

    def _padded_patch(
        self,
        carry: Carry,
        points: Points,
        records: bool,
        *,
        evaluate: bool = False,
        keep: bool = False,
        more: bool = False,
    ) -> Patch:
        """All that is known of a group.

        Args:
            carry: its state.
            points: its hyperparameters.
            records: whether the recorded steps are wanted.
            evaluate: whether the metrics are.
            keep: whether the parameters are.
            more: whether all that is needed to go on is.
        """
        lanes = carry.lanes
        return Patch(
            records=carry.records if records else None,
            loss=lanes.loss,
            status=lanes.status,
            stopped_at=lanes.stopped_at,
            evaluations=lanes.evaluations,
            metrics=self._evaluated(carry, points) if evaluate else {},
            params=self._kept(lanes.last_good) if keep else None,
            lanes=lanes if more else None,
        )

    def _kept(self, good: LastGood) -> Any:
        """The parameters of lanes, or models of them."""
        form = self.setup.plan.objective.form
        return OpenedModel(good.to_evaluate, good.model_state.held, form).unless_plain()

    def shape_on_host(self, group: Group) -> Carry:
        """Shapes and dtypes of a group that is put away."""
        return shape_on_host(self._shape_of(group))

    def _shape_of(self, group: Group) -> Carry:
        return self._shape(group.points, self.setup.seeds[group.seeds])

    def _keys(self, seeds: Any) -> Keys:
        return engine.keys_of(self.setup.key, seeds)

    def _start(self, points: Points, seeds: Any) -> Carry:
        setup, keys = self.setup, self._keys(seeds)
        of_start = {name: points[name] for name in self._of_start}
        model = engine.first_model(
            setup.init, setup.first, setup.init_hyperparameters, of_start, keys.init
        )
        return engine.start(
            setup.plan,
            bool(of_start),
            setup.template,
            model,
            points,
            keys,
            self._data,
            setup.model_state,
        )

    def _shape(self, points: Points, seeds: Any) -> Carry:
        """Shapes and dtypes of the lanes, and on which devices they lie."""
        setup, mesh = self.setup, self.setup.plan.mesh
        shape = _SHAPES.get(
            (setup.plan, setup.init),
            (
                (setup.template, setup.first, setup.init_hyperparameters, setup.model_state),
                (points, seeds, setup.key, self._data),
            ),
            lambda: jax.eval_shape(self._start, points, seeds),
        )
        if mesh is None:
            return shape
        spec = engine.layout_on(mesh)
        return Carry(self._on(spec.lanes, shape.lanes), self._on(spec.records, shape.records))

    def _on(self, spec: PartitionSpec, shapes: Any) -> Any:
        """Shapes and dtypes, and where on the devices they lie if there are several."""
        if (mesh := self.setup.plan.mesh) is None:
            return shapes
        sharding = NamedSharding(mesh, spec)
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes
        )

    def _evaluated(self, carry: Carry, points: Points) -> dict[str, Any]:
        """The evaluation metrics by name."""
        setup = self.setup
        if setup.evaluate is None:
            return {}
        good = carry.lanes.last_good
        values = engine.evaluated(
            setup.evaluate,
            setup.plan.objective.form,
            setup.evaluate_hyperparameters,
            points,
            setup.template.fixed,
            good.to_evaluate,
            good.model_state,
        )
        name = getattr(setup.evaluate.function, "__name__", "<lambda>")
        # A single metric is called like the function, unless that is not free.
        name = "evaluation" if name in ("<lambda>", *FIELDS) else name
        return named_scalars(values, name, "what evaluate returns", leading=2)


def _on_all_devices(tree: Any, mesh: Mesh | None) -> Any:
    return jax.device_put(tree, mesh and NamedSharding(mesh, PartitionSpec()))


def _unpadded(patch: Patch, count: int, rows: list[int]) -> Patch:
    """The first ``count`` points of a patch, and of the recorded steps these."""
    chosen = np.asarray(rows, int)
    records = jax.tree.map(lambda leaf: leaf[chosen, :, :count], patch.records)
    others = patch._replace(records=None)
    return jax.tree.map(lambda leaf: leaf[:, :count], others)._replace(records=records)


def _blank(shapes: Any) -> Any:
    return jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan, leaf.dtype), shapes)

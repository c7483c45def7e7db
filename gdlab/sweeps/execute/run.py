"""All lanes of one optimizer on one problem: in groups that fit, from rung to rung."""

import dataclasses
import functools
import itertools
import time
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from gdlab.sweeps.execute.lanes import NUMBER, Lanes, Setup
from gdlab.sweeps.execute.notes import Notes
from gdlab.sweeps.execute.tables import KeepParams, Patch, Tables
from gdlab.sweeps.execute.transfer import least_of_processes, of_process, zeros_like
from gdlab.sweeps.execute.watch import Watch
from gdlab.sweeps.persist.saving import Saving
from gdlab.sweeps.persist.units import Units
from gdlab.sweeps.plan.grid import Points
from gdlab.sweeps.plan.groups import Group, groups_of, together
from gdlab.sweeps.plan.policies import Move, Policy, Ranking
from gdlab.training.loader import Block, Stream
from gdlab.training.pace import Pace


@dataclasses.dataclass
class Manner:
    """The manner in which a sweep is run, whatever it is that is run."""

    policy: Policy | None
    keep_params: KeepParams
    lane_chunk: int | None
    """The most lanes at once; as many as fit unless given."""
    exact: bool
    shared: bool
    """True if the groups are dealt out to several processes."""
    seconds_between_saves: float
    watch: Watch
    checkpoint: Saving | None = None


@dataclasses.dataclass
class Stage:
    """The steps between two rungs."""

    begin: int
    end: int
    rows: list[int]
    """The numbers of the recorded steps that lie in it."""
    last: bool


class Run:
    """One optimizer on one problem.

    Args:
        setup: what is run.
        manner: how it is run.
        name: what the names of its parts in a checkpoint begin with.

    Raises:
        ValueError, TypeError: whatever tracing finds wrong, before anything is compiled.
    """

    def __init__(self, setup: Setup, manner: Manner, name: str):
        self.setup: Setup = setup
        self._manner, self._name = manner, name
        self.lanes: Lanes = Lanes(setup)
        self.size: int = len(setup.points[NUMBER])
        self.history: list[tuple[int, Points, np.ndarray]] = []
        """After how many steps a policy gave which hyperparameters and parents to all points."""
        self.tables: Tables | None = None
        self._pace, self._notes = Pace(), Notes()
        self._check()

    def _check(self) -> None:
        policy, brackets = self._manner.policy, self._brackets()
        if isinstance(self.setup.data, Stream) and self.setup.data.read_once and len(brackets) > 1:
            raise ValueError(
                f"data is an iterator, which can be read once, but each of the {len(brackets)} "
                "brackets of the policy begins anew: give a loader that can be iterated over again"
            )
        for bracket, _ in brackets:
            self._stages(bracket)
        if policy is not None:
            _require_known("policy", policy.metric, ("loss", *self.lanes.metrics))
        for name, _ in self.setup.plan.targets:
            _require_known("targets", name, ("loss", "gradient_norm", *self.lanes.aux))

    @property
    def lane_steps(self) -> int:
        """The steps of all lanes together, if none is dropped."""
        return self.size * len(self.setup.seeds) * (self.setup.plan.steps + 1)

    def run(self) -> Tables:
        """Take all steps of all lanes; what has come in so far is in ``tables``."""
        manner = self._manner
        self._units = Units(
            manner.checkpoint, manner.seconds_between_saves, manner.shared, self._name, self.lanes
        )
        seeds, points = self._at_once()
        self.tables = Tables(
            rows=len(self.setup.plan.recorded_steps),
            seeds=len(self.setup.seeds),
            points=self.size,
            keep_params=manner.keep_params,
            by_point=seeds == len(self.setup.seeds),
        )
        for bracket, places in self._brackets():
            self._run_bracket(self.tables, bracket, places, seeds, points)
        return self.tables

    def _brackets(self) -> list[tuple[int, np.ndarray]]:
        """The points in groups that do not compete, each with its number."""
        policy, steps = self._manner.policy, self.setup.plan.steps
        brackets = policy.brackets(self.size, steps) if policy else [np.arange(self.size)]
        return [(number, places) for number, places in enumerate(brackets) if len(places)]

    def _run_bracket(
        self, tables: Tables, bracket: int, places: np.ndarray, seeds: int, points: int
    ) -> None:
        values = {name: array[places] for name, array in self.setup.points.items()}
        members = np.arange(len(places))
        former: list[Group] = []
        left = None
        for number, stage in enumerate(self._stages(bracket)):
            name = f"{self._name}bracket{bracket}.stage{number}."
            groups = groups_of(
                name,
                places,
                values,
                stage.begin,
                seeds=len(self.setup.seeds),
                seeds_at_once=seeds,
                points_at_once=points,
                multiple_of=jax.process_count() if self._manner.shared else 1,
                mesh=self.setup.plan.mesh,
            )
            if left is not None:
                self._continue(groups, left, members)
            left = self._run_stage(tables, groups, stage)
            self._units.forget(former)
            former = groups
            if not stage.last:
                members, kept, values = self._move(tables, bracket, number, places, values)
                dropped = np.setdiff1d(np.arange(len(places)), kept)
                tables.prune(places[dropped], stage.end)
                lanes = len(dropped) * len(self.setup.seeds)
                self._manner.watch.bar.dropped(lanes * (self.setup.plan.steps + 1 - stage.end))
                places = places[kept]
                values[NUMBER] = places
                if len(places) == self.size:
                    self.history.append((stage.end, values, members))

    def _stages(self, bracket: int) -> list[Stage]:
        plan, policy = self.setup.plan, self._manner.policy
        # Of rungs without an end these are enough to see that they are wrong.
        rungs = policy.rungs_of(bracket, plan.steps) if policy else []
        rungs = list(itertools.islice(rungs, plan.steps))
        if rungs != sorted({rung for rung in rungs if 0 < rung < plan.steps}):
            shown = f"{rungs[:8]}" + (" …" if len(rungs) > 8 else "")
            raise ValueError(
                f"the rungs of a policy must rise and lie between 0 and {plan.steps}, not {shown}"
            )
        # After the last step there is one more, to judge where it led.
        ends = [*rungs, plan.steps + 1]
        return [
            Stage(
                begin,
                end,
                [i for i, step in enumerate(plan.recorded_steps) if begin <= step < end],
                last=end > plan.steps,
            )
            for begin, end in itertools.pairwise([0, *ends])
        ]

    def _run_stage(self, tables: Tables, groups: list[Group], stage: Stage) -> Any:
        """Take the steps of a stage; it returns what the next one goes on from."""
        manner, shared = self._manner, self._manner.shared
        processes = jax.process_count() if shared else 1
        mine = groups[jax.process_index() % processes :: processes]
        # A single group stays where it is; several are kept on the host from stage to stage.
        stays = len(groups) == 1 and not shared
        done: dict[str, Patch] = {}
        for group in mine:
            shape = functools.partial(self._shape_of_patch, group, stage, stays)
            if (patch := self._units.load(group, shape)) is not None:
                done[group.name] = patch
                tables.apply(patch, stage.rows, group.seeds, group.places)
                manner.watch.bar.found(group.lanes * (stage.end - stage.begin))
        todo = [group for group in mine if group.name not in done]
        if todo:
            self._units.require_writable()
        manner.watch.bar.found(sum(group.lanes * (group.steps - stage.begin) for group in todo))
        of_others = sum(group.lanes for group in groups) - sum(group.lanes for group in mine)
        manner.watch.bar.dropped(of_others * (stage.end - stage.begin))
        try:
            for block in self._blocks(stage, todo):
                block = block._replace(data=self.lanes.on_all_devices(block.data))
                for group in todo:
                    self._advance(tables, group, block, stage)
                    if block.end == stage.end:
                        done[group.name] = self._finish(tables, group, stage, stays)
                    elif len(todo) > 1:
                        self.lanes.put_away(group)
        except BaseException as error:
            self._keep(tables, [group for group in todo if group.name not in done], stage, error)
            raise
        if shared:
            for number, group in enumerate(groups):
                patch = self._of_process(number % processes, group, done, stage)
                done[group.name] = patch
                tables.apply(patch, stage.rows, group.seeds, group.places)
        if stays and groups[0].carry is not None:
            return groups[0]
        if stage.last or any(patch.lanes is None for patch in done.values()):
            # They are gone from the checkpoint once all of the next stage is there.
            return None
        return together(groups, done, len(self.setup.seeds))

    def _of_process(self, owner: int, group: Group, done: dict[str, Patch], stage: Stage) -> Patch:
        """The knowledge that the process which computed a group has of it, in all processes."""
        blank: Patch = zeros_like(self._shape_of_patch(group, stage, stays=False))
        patch = done.get(group.name, blank)
        # All must exchange the same arrays, also those that one may have forgotten already.
        lanes = blank.lanes if patch.lanes is None else patch.lanes
        return of_process(owner, patch._replace(lanes=lanes))

    def _blocks(self, stage: Stage, todo: list[Group]) -> Iterable[Block]:
        data = self.setup.data
        if not todo:
            return []
        if isinstance(data, Stream):
            return data.blocks(stage.begin, stage.end)
        return [Block(stage.begin, stage.end, data)]

    def _advance(self, tables: Tables, group: Group, block: Block, stage: Stage) -> None:
        """Take the steps of a block in calls that are short enough to be waited for."""
        watch = self._manner.watch
        if group.steps >= block.end:
            return
        self.lanes.bring(group)
        while group.steps < block.end:
            started, before = time.perf_counter(), group.steps
            end = min(before + self._pace.steps, block.end)
            self.lanes.advance(group, end, block.data, block.begin)
            self._pace.keep(time.perf_counter() - started, end - before)
            if self._notes.is_due or watch.draws:
                with self._notes.taken():
                    self._note(tables, group, stage, True)
            elif watch.looks:
                self._note(tables, group, stage, False)
            watch.advanced(tables, group.lanes * (end - before))
            self._units.save_halfway(group)

    def _keep(
        self, tables: Tables, groups: list[Group], stage: Stage, error: BaseException
    ) -> None:
        """Keep what can be had of groups that an error breaks off, and of others what was noted."""
        for group in groups:
            if group.is_there:
                try:
                    self._note(tables, group, stage, True)
                    self._units.save_halfway(group, now=True)
                except Exception as other:
                    error.add_note(
                        f"Of {group.lanes} lanes only what was known before could be kept: {other}"
                    )

    def _note(self, tables: Tables, group: Group, stage: Stage, records: bool) -> None:
        """Write down how a group stands that has not come to the end of the stage."""
        rows = stage.rows if records else []
        patch = self.lanes.patch(group, rows)
        tables.apply(patch, rows, group.seeds, group.places)

    def _finish(self, tables: Tables, group: Group, stage: Stage, stays: bool) -> Patch:
        """Write down what a group came to, and let go of what is not needed any more."""
        wanted = self._wanted(stage, stays)
        patch = self.lanes.patch(group, stage.rows, **wanted)
        tables.apply(patch, stage.rows, group.seeds, group.places)
        self._units.save(group, patch)
        if stage.last or not stays:
            group.carry = None
        return patch

    def _wanted(self, stage: Stage, stays: bool) -> dict[str, bool]:
        manner = self._manner
        ranks = manner.policy is not None and manner.policy.metric != "loss"
        return {
            "evaluate": stage.last or ranks,
            "keep": stage.last and manner.keep_params is not None,
            "more": not stage.last and (not stays or manner.checkpoint is not None),
        }

    def _move(
        self, tables: Tables, bracket: int, rung: int, places: np.ndarray, values: Points
    ) -> Move:
        policy = self._manner.policy
        assert policy is not None  # there are no rungs without a policy
        entropy = np.asarray(jax.random.key_data(self.setup.key)).ravel().tolist()
        axes = {name: array for name, array in values.items() if name != NUMBER}
        return policy.move(
            Ranking(
                bracket,
                rung,
                tables.scores(places, policy.metric, policy.maximize),
                axes,
                {name: _range(self.setup.points[name]) for name in axes},
                np.random.default_rng([*entropy, bracket, rung]),
            )
        )

    def _at_once(self) -> tuple[int, int]:
        """The numbers of seeds and of points that are on the devices at the same time."""
        # There may be more or less memory than before, but the lanes must be grouped as they were.
        seeds, points = self._units.layout(self._layout)
        if self._manner.shared:
            seeds, points = least_of_processes(np.array([seeds, points])).tolist()
        return seeds, points

    def _layout(self) -> tuple[int, int]:
        seeds, mesh = len(self.setup.seeds), self.setup.plan.mesh
        devices = 1 if mesh is None else mesh.size
        chunk = self._manner.lane_chunk
        if self._manner.exact:
            # A lane by itself is the same program whatever else is swept.
            return 1, 1
        if chunk is None:
            points = self.lanes.points_at_once(seeds)
        elif chunk >= seeds:
            points = chunk // seeds
        else:
            seeds, points = chunk, 1
        return seeds, max(devices, points - points % devices)

    def _continue(self, groups: list[Group], left: Any, parents: np.ndarray) -> None:
        """Let groups go on from what the stage before left: a group, or the lanes of all."""
        for group in groups:
            of = parents[group.members]
            if isinstance(left, Group):
                self.lanes.pick(group, left, of)
            else:
                lanes = jax.tree.map(lambda leaf: leaf[np.ix_(group.seeds, of)], left)  # noqa: B023
                self.lanes.go_on(group, lanes)

    def _shape_of_patch(self, group: Group, stage: Stage, stays: bool) -> Patch:
        return self.lanes.shape_of_patch(group, stage.rows, **self._wanted(stage, stays))


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _require_known(argument: str, name: str, known: tuple[str, ...]) -> None:
    """Refuse a name for which there is nothing."""
    if name not in known:
        raise ValueError(
            f"{argument}: there is no {name!r}; there are {', '.join(map(repr, known))}"
        )

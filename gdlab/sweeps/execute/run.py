"""The run of all lanes of one optimizer on one problem: in groups that fit, from rung to rung."""

from typing import Any

import jax
import numpy as np

from gdlab.axes.grid import Points
from gdlab.devices.mesh import parts_of_lanes
from gdlab.devices.transfer import least_of_processes
from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.execute.group_checkpoints import GroupCheckpoints
from gdlab.sweeps.execute.groups import LaneGroup, groups_of
from gdlab.sweeps.execute.interval_runner import IntervalRunner
from gdlab.sweeps.execute.options import RunOptions
from gdlab.sweeps.execute.prepared import PreparedRun
from gdlab.sweeps.execute.tables import LaneTables
from gdlab.sweeps.plan.arguments import entropy_of
from gdlab.sweeps.plan.assembly import PlannedRun
from gdlab.sweeps.plan.brackets import Bracket
from gdlab.sweeps.plan.policies import Move, Ranking
from gdlab.sweeps.plan.task import POINT_NUMBER


class SweepRun:
    """One optimizer on one problem, on its way from the first step to the last.

    Args:
        prepared: the prepared run.
        options: the options of the sweep.
    """

    def __init__(self, prepared: PreparedRun, options: RunOptions):
        self.planned: PlannedRun = prepared.planned
        self._task, self._programs = prepared.programs.task, prepared.programs
        self._brackets, self._options = prepared.brackets, options
        self.history: list[tuple[int, Points, np.ndarray]] = []
        """The steps after which a policy acted, with hyperparameters and parents of all points."""
        self._prefix = f"{self.planned.name}." if self.planned.name else ""
        self._checkpoints = GroupCheckpoints(
            options.checkpoint,
            options.checkpointing,
            options.resources.shared,
            self._prefix,
            self._programs,
        )
        self._seeds_at_once, self._points_at_once = self._at_once()
        self.tables: LaneTables = LaneTables(
            rows=self._task.structure.rows(0, self._task.structure.steps + 1),
            seeds=len(self._task.seeds),
            points=self._task.size,
            keep_params=options.keep_params,
            by_point=self._seeds_at_once == len(self._task.seeds),
        )
        self._intervals = IntervalRunner(self._programs, options, self._checkpoints, self.tables)

    def run(self) -> None:
        """Take all steps of all lanes, and write results into ``tables`` as they come in."""
        for bracket in self._brackets:
            self._run_bracket(bracket)

    def _run_bracket(self, bracket: Bracket) -> None:
        places = bracket.places
        values = {name: array[places] for name, array in self._task.points.items()}
        members = np.arange(len(places))
        former: list[LaneGroup] = []
        left = None
        for number, interval in enumerate(bracket.intervals):
            name = f"{self._prefix}bracket{bracket.number}.interval{number}."
            groups = self._groups(name, places, values, interval.begin)
            if left is not None:
                self._continue(groups, left, members)
            left = self._intervals.run(groups, interval)
            self._checkpoints.forget(former)
            former = groups
            if not interval.last:
                members, kept, values = self._move(bracket.number, number, places, values)
                dropped = np.setdiff1d(np.arange(len(places)), kept)
                self._drop(places[dropped], interval.end)
                places = places[kept]
                values[POINT_NUMBER] = places
                if len(places) == self._task.size:
                    self.history.append((interval.end, values, members))

    def _groups(self, name: str, places: np.ndarray, values: Points, steps: int) -> list[LaneGroup]:
        """The points that are left, and all seeds, as groups of like shape."""
        return groups_of(
            name,
            places,
            values,
            steps,
            seeds=len(self._task.seeds),
            seeds_at_once=self._seeds_at_once,
            points_at_once=self._points_at_once,
            multiple_of=jax.process_count() if self._options.resources.shared else 1,
            mesh=self._task.structure.mesh,
        )

    def _drop(self, points: np.ndarray, step: int) -> None:
        """Record that a policy has dropped points at a step."""
        self.tables.prune(points, step)
        lanes = len(points) * len(self._task.seeds)
        left = self._task.structure.steps + 1 - step
        self._options.monitor.bar.dropped(lanes * left)

    def _move(self, bracket: int, rung: int, places: np.ndarray, values: Points) -> Move:
        policy = self._options.policy
        assert policy is not None  # there are no rungs without a policy
        axes = {name: array for name, array in values.items() if name != POINT_NUMBER}
        maximize = is_maximized(policy.metric, policy.maximize)
        return policy.move(
            Ranking(
                bracket,
                rung,
                self.tables.scores(places, policy.metric, maximize),
                axes,
                {name: _range(self._task.points[name]) for name in axes},
                np.random.default_rng([*entropy_of(self._task.key), bracket, rung]),
            )
        )

    def _at_once(self) -> tuple[int, int]:
        """The numbers of seeds and of points that are on the devices at the same time."""
        # The free memory may have changed since the checkpoint, but the groups must stay the same.
        seeds, points = self._checkpoints.layout(self._layout)
        if self._options.resources.shared:
            seeds, points = least_of_processes(np.array([seeds, points])).tolist()
        return seeds, points

    def _layout(self) -> tuple[int, int]:
        seeds, mesh = len(self._task.seeds), self._task.structure.mesh
        devices = parts_of_lanes(mesh)
        chunk = self._options.resources.most_lanes
        if self._options.resources.exact:
            # One lane at a time makes the program independent of what else is swept.
            return 1, 1
        if chunk is None:
            seeds, points = self._programs.seeds_and_points_at_once()
        elif chunk >= seeds:
            points = chunk // seeds
        else:
            seeds, points = chunk, 1
        return seeds, max(devices, points - points % devices)

    def _continue(self, groups: list[LaneGroup], left: Any, parents: np.ndarray) -> None:
        """Let groups continue from the interval before: from one group, or the lanes of all."""
        for group in groups:
            of = parents[group.members]
            if isinstance(left, LaneGroup):
                self._programs.pick(group, left, of)
            else:
                lanes = jax.tree.map(lambda leaf: leaf[np.ix_(group.seeds, of)], left)  # noqa: B023
                self._programs.go_on(group, lanes)


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())

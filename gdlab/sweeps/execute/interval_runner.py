"""The training of groups of lanes from one rung to the next."""

import functools
import time
from collections.abc import Iterable
from typing import Any

import jax

from gdlab.devices.transfer import of_process, zeros_like
from gdlab.progress.call_length import CallLength
from gdlab.sweeps.execute.group_checkpoints import GroupCheckpoints
from gdlab.sweeps.execute.groups import LaneGroup, together
from gdlab.sweeps.execute.lane_programs import LanePrograms
from gdlab.sweeps.execute.options import RunOptions
from gdlab.sweeps.execute.snapshot_timer import SnapshotTimer
from gdlab.sweeps.execute.tables import GroupResult, LaneTables
from gdlab.sweeps.plan.brackets import RungInterval
from gdlab.training.loader import Block, Stream


class IntervalRunner:
    """The steps of groups of lanes between two rungs, group by group and call by call.

    Args:
        programs: the programs of the lanes.
        options: the options of the sweep.
        checkpoints: the saved results and states of the groups.
        tables: the tables into which results are written.
    """

    def __init__(
        self,
        programs: LanePrograms,
        options: RunOptions,
        checkpoints: GroupCheckpoints,
        tables: LaneTables,
    ):
        self._task, self._programs, self._options = programs.task, programs, options
        self._checkpoints, self._tables = checkpoints, tables
        self._call_length, self._snapshots = CallLength(), SnapshotTimer()

    def run(self, groups: list[LaneGroup], interval: RungInterval) -> Any:
        """Take the steps of an interval, and return the state from which the next one goes on."""
        options, shared = self._options, self._options.resources.shared
        processes = jax.process_count() if shared else 1
        mine = groups[jax.process_index() % processes :: processes]
        # A single group stays where it is; several are kept on the host from interval to interval.
        stays = len(groups) == 1 and not shared
        done: dict[str, GroupResult] = {}
        for group in mine:
            shape = functools.partial(self._shape_of_result, group, interval, stays)
            if (result := self._checkpoints.load(group, shape)) is not None:
                done[group.name] = result
                self._tables.apply(result, interval.rows, group.seeds, group.places)
                options.monitor.bar.found(group.lanes * (interval.end - interval.begin))
        todo = [group for group in mine if group.name not in done]
        if todo:
            self._checkpoints.require_writable()
        options.monitor.bar.found(
            sum(group.lanes * (group.steps - interval.begin) for group in todo)
        )
        of_others = sum(group.lanes for group in groups) - sum(group.lanes for group in mine)
        options.monitor.bar.dropped(of_others * (interval.end - interval.begin))
        try:
            for block in self._blocks(interval, todo):
                block = block._replace(data=self._programs.on_all_devices(block.data))
                for group in todo:
                    self._advance(group, block, interval)
                    if block.end == interval.end:
                        done[group.name] = self._finish(group, interval, stays)
                    elif len(todo) > 1:
                        self._programs.put_away(group)
        except BaseException as error:
            self._keep([group for group in todo if group.name not in done], interval, error)
            raise
        if shared:
            for number, group in enumerate(groups):
                result = self._of_process(number % processes, group, done, interval)
                done[group.name] = result
                self._tables.apply(result, interval.rows, group.seeds, group.places)
        if stays and groups[0].state is not None:
            return groups[0]
        if interval.last or any(result.lanes is None for result in done.values()):
            # The checkpoint drops them once every group of the next interval is saved.
            return None
        return together(groups, done, len(self._task.seeds))

    def _of_process(
        self, owner: int, group: LaneGroup, done: dict[str, GroupResult], interval: RungInterval
    ) -> GroupResult:
        """The result of a group, which one process computed, in all processes."""
        blank: GroupResult = zeros_like(self._shape_of_result(group, interval, stays=False))
        result = done.get(group.name, blank)
        # All processes must exchange the same arrays, even those that one has dropped already.
        lanes = blank.lanes if result.lanes is None else result.lanes
        return of_process(owner, result._replace(lanes=lanes))

    def _blocks(self, interval: RungInterval, todo: list[LaneGroup]) -> Iterable[Block]:
        data = self._task.data
        if not todo:
            return []
        if isinstance(data, Stream):
            return data.blocks(interval.begin, interval.end)
        return [Block(interval.begin, interval.end, data)]

    def _advance(self, group: LaneGroup, block: Block, interval: RungInterval) -> None:
        """Take the steps of a block, in calls short enough for progress reports and Ctrl-C."""
        monitor = self._options.monitor
        if group.steps >= block.end:
            return
        self._programs.bring(group)
        while group.steps < block.end:
            started, before = time.perf_counter(), group.steps
            end = min(before + self._call_length.steps, block.end)
            self._programs.advance(group, end, block.data, block.begin)
            self._call_length.keep(time.perf_counter() - started, end - before)
            if self._snapshots.is_due or monitor.picture.is_due:
                with self._snapshots.taken():
                    self._fetch(group, interval, True)
            elif monitor.is_watched:
                self._fetch(group, interval, False)
            monitor.advanced(self._tables.standing, group.lanes * (end - before))
            self._checkpoints.save_halfway(group)

    def _keep(self, groups: list[LaneGroup], interval: RungInterval, error: BaseException) -> None:
        """Write the last states of groups that an error interrupts into tables and checkpoint."""
        for group in groups:
            if group.is_there:
                try:
                    self._fetch(group, interval, True)
                    self._checkpoints.save_halfway(group, now=True)
                except Exception as other:
                    error.add_note(
                        f"Of {group.lanes} lanes only what was known before could be kept: {other}"
                    )

    def _fetch(self, group: LaneGroup, interval: RungInterval, records: bool) -> None:
        """Write the state of a group between two rungs into the tables."""
        rows = interval.rows if records else None
        result = self._programs.result(group, rows)
        self._tables.apply(result, rows, group.seeds, group.places)

    def _finish(self, group: LaneGroup, interval: RungInterval, stays: bool) -> GroupResult:
        """Write the result of a group into the tables, and free what is not needed any more."""
        wanted = self._wanted(interval, stays)
        result = self._programs.result(group, interval.rows, **wanted)
        self._tables.apply(result, interval.rows, group.seeds, group.places)
        self._checkpoints.save(group, result)
        if interval.last or not stays:
            group.state = None
        return result

    def _wanted(self, interval: RungInterval, stays: bool) -> dict[str, bool]:
        options = self._options
        ranks = options.policy is not None and options.policy.metric != "loss"
        return {
            "evaluate": interval.last or ranks,
            "keep": interval.last and options.keep_params is not None,
            "more": not interval.last and (not stays or options.checkpoint is not None),
        }

    def _shape_of_result(
        self, group: LaneGroup, interval: RungInterval, stays: bool
    ) -> GroupResult:
        return self._programs.shape_of_result(group, interval.rows, **self._wanted(interval, stays))

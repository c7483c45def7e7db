"""The part of a checkpoint that belongs to one run: the result and the state of each group."""

import time
from collections.abc import Callable, Iterable

import numpy as np

from gdlab.devices.transfer import least_of_processes, to_host
from gdlab.sweeps.execute.groups import LaneGroup
from gdlab.sweeps.execute.lane_programs import LanePrograms
from gdlab.sweeps.execute.tables import GroupResult
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint
from gdlab.sweeps.settings import Checkpointing

WHOLE, HALFWAY, LANES = "whole", "halfway", "lanes"
"""Kinds of checkpoint unit: the result of a group up to a rung, its state on the way there, and its
state at the rung."""


class GroupCheckpoints:
    """The checkpointed groups of one run; without a checkpoint, nothing is saved or loaded.

    Args:
        checkpoint: the checkpoint in which they are kept.
        checkpointing: how often the state of a group on its way to a rung is kept.
        shared: whether other processes compute other groups.
        name: the beginning of the names of the units.
        programs: the programs of the lanes, from which the shapes of a group's arrays are known.
    """

    def __init__(
        self,
        checkpoint: FailsafeCheckpoint | None,
        checkpointing: Checkpointing | None,
        shared: bool,
        name: str,
        programs: LanePrograms,
    ):
        self._checkpoint = checkpoint
        self._seconds = checkpointing.seconds_between_saves if checkpointing else 0.0
        self._shared, self._name, self._programs = shared, name, programs
        self._saved_at = time.perf_counter()

    def layout(self, choose: Callable[[], tuple[int, int]]) -> tuple[int, int]:
        """The numbers of seeds and points of a group: those saved before, or newly chosen ones."""
        if (checkpoint := self._checkpoint) is None:
            return choose()
        name = self._name + "layout"
        if name in checkpoint.saved():
            seeds, points = checkpoint.load(name, np.zeros(2, int)).tolist()
        else:
            checkpoint.require_writable()
            seeds, points = choose()
            checkpoint.save(name, np.array([seeds, points]))
        return seeds, points

    def require_writable(self) -> None:
        """Refuse to compute what could not be saved from the start.

        Raises:
            OSError: if the folder of the checkpoint cannot be written.
        """
        if self._checkpoint is not None:
            self._checkpoint.require_writable()

    def save(self, group: LaneGroup, result: GroupResult) -> None:
        """Keep the result of a group at a rung or at the end."""
        if (checkpoint := self._checkpoint) is None:
            return
        if result.lanes is not None:
            checkpoint.save(group.name + LANES, result.lanes)
        checkpoint.save(group.name + WHOLE, result._replace(lanes=None))
        checkpoint.remove(group.name + HALFWAY)

    def save_halfway(self, group: LaneGroup, *, now: bool = False) -> None:
        """Save the state of a group, if ``now`` or if the last save was long enough ago."""
        if (checkpoint := self._checkpoint) is None:
            return
        if now or time.perf_counter() - self._saved_at > self._seconds:
            checkpoint.save(group.name + HALFWAY, (np.int64(group.steps), to_host(group.state)))
            self._saved_at = time.perf_counter()

    def load(self, group: LaneGroup, shape: Callable[[], GroupResult]) -> GroupResult | None:
        """The saved result of a group at a rung; or None, after restoring its state on the way.

        ``shape()`` returns the shapes and dtypes of a whole result.
        """
        if (checkpoint := self._checkpoint) is None:
            return None
        saved = checkpoint.saved()
        if group.name + WHOLE in saved:
            like = shape()
            result = checkpoint.load(group.name + WHOLE, like._replace(lanes=None))
            if group.name + LANES in saved:
                lanes = checkpoint.load(group.name + LANES, like.lanes)
                result = result._replace(lanes=lanes)
            return result
        if group.name + HALFWAY in saved:
            like = (np.int64(0), self._programs.shape_on_host(group))
            steps, group.state = checkpoint.load(group.name + HALFWAY, like)
            group.steps, group.on_host = int(steps), True
        return None

    def forget(self, groups: Iterable[LaneGroup]) -> None:
        """Remove the saved lanes of groups whose successors are all saved."""
        if (checkpoint := self._checkpoint) is None:
            return
        if self._shared and not least_of_processes(np.asarray(checkpoint.works)):
            # One of the processes could not save what the lanes went on to.
            return
        for name in {group.name + LANES for group in groups} & set(checkpoint.saved()):
            checkpoint.remove(name)

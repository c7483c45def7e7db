"""What a checkpoint holds of one run: what each group came to, and how far it is."""

import time
from collections.abc import Callable, Iterable

import numpy as np

from gdlab.sweeps.execute.lanes import Lanes
from gdlab.sweeps.execute.tables import Patch
from gdlab.sweeps.execute.transfer import least_of_processes, to_host
from gdlab.sweeps.persist.saving import Saving
from gdlab.sweeps.plan.groups import Group

WHOLE, HALFWAY, LANES = "whole", "halfway", "lanes"
"""Of a group: what a stage came to, how far it is, what the next stage goes on from."""


class Units:
    """What is kept of one run, if there is a checkpoint; without one, nothing is.

    Args:
        checkpoint: where it is kept.
        seconds_between_saves: how often the way to the end of a stage is kept.
        shared: whether other processes compute other groups.
        name: what the names of the units begin with.
        lanes: what knows the shapes of groups.
    """

    def __init__(
        self,
        checkpoint: Saving | None,
        seconds_between_saves: float,
        shared: bool,
        name: str,
        lanes: Lanes,
    ):
        self._checkpoint, self._seconds = checkpoint, seconds_between_saves
        self._shared, self._name, self._lanes = shared, name, lanes
        self._saved_at = time.perf_counter()

    def layout(self, choose: Callable[[], tuple[int, int]]) -> tuple[int, int]:
        """How many seeds and points a group has, chosen once and the same ever after."""
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

    def save(self, group: Group, patch: Patch) -> None:
        """Keep what a group came to in a stage."""
        if (checkpoint := self._checkpoint) is None:
            return
        if patch.lanes is not None:
            checkpoint.save(group.name + LANES, patch.lanes)
        checkpoint.save(group.name + WHOLE, patch._replace(lanes=None))
        checkpoint.remove(group.name + HALFWAY)

    def save_halfway(self, group: Group, *, now: bool = False) -> None:
        """Keep how far a group is, unless that was done a short while ago and need not be now."""
        if (checkpoint := self._checkpoint) is None:
            return
        if now or time.perf_counter() - self._saved_at > self._seconds:
            checkpoint.save(group.name + HALFWAY, (np.int64(group.steps), to_host(group.carry)))
            self._saved_at = time.perf_counter()

    def load(self, group: Group, shape: Callable[[], Patch]) -> Patch | None:
        """What a group came to in a stage; if that is not known, the group goes on halfway.

        ``shape()`` has the shapes and dtypes of all that could be known.
        """
        if (checkpoint := self._checkpoint) is None:
            return None
        saved = checkpoint.saved()
        if group.name + WHOLE in saved:
            like = shape()
            patch = checkpoint.load(group.name + WHOLE, like._replace(lanes=None))
            if group.name + LANES in saved:
                lanes = checkpoint.load(group.name + LANES, like.lanes)
                patch = patch._replace(lanes=lanes)
            return patch
        if group.name + HALFWAY in saved:
            like = (np.int64(0), self._lanes.shape_on_host(group))
            steps, group.carry = checkpoint.load(group.name + HALFWAY, like)
            group.steps, group.on_host = int(steps), True
        return None

    def forget(self, groups: Iterable[Group]) -> None:
        """Remove the lanes of groups that all have gone on from."""
        if (checkpoint := self._checkpoint) is None:
            return
        if self._shared and not least_of_processes(np.asarray(checkpoint.works)):
            # One of the processes could not save what the lanes went on to.
            return
        for name in {group.name + LANES for group in groups} & set(checkpoint.saved()):
            checkpoint.remove(name)

"""The structure of a program as a static argument that keeps no user's function alive."""

import weakref

from gdlab.devices.weak_keys import weak_key
from gdlab.sweeps.plan.task import ProgramStructure, SweepTask


class WeakStructure:
    """The structure of a task, equal to other equal structures, that keeps neither alive.

    JAX never lets go of the static arguments of a program that is given arrays to reuse, not even
    by ``jax.clear_caches()``: it remembers for good which arrays go with them.
    """

    __slots__ = ("_key", "_task")

    def __init__(self, task: SweepTask):
        self._task, self._key = weakref.ref(task), weak_key(task.structure)

    @property
    def structure(self) -> ProgramStructure:
        """The structure, which is there while the task is."""
        task = self._task()
        assert task is not None  # programs are traced only while their task is in use
        return task.structure

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WeakStructure) and self._key == other._key

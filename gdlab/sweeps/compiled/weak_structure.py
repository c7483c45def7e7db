"""The structure of a program as a static argument that keeps no user's function alive."""

import weakref

from gdlab.devices.weak_keys import weak_key
from gdlab.sweeps.plan.task import ProgramStructure, SweepTask


class WeakStructure:
    """A weak reference to the structure of a task, compared by the value of the structure.

    JAX keeps the static arguments of a program with donated arrays forever, even after
    ``jax.clear_caches()``, so a strong reference there would never free the user's functions.
    """

    __slots__ = ("_key", "_task")

    def __init__(self, task: SweepTask):
        self._task, self._key = weakref.ref(task), weak_key(task.structure)

    @property
    def structure(self) -> ProgramStructure:
        """The structure, which exists as long as the task."""
        task = self._task()
        assert task is not None  # programs are traced only while their task is in use
        return task.structure

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WeakStructure) and self._key == other._key

"""Keys of caches that tell users' functions apart and keep none of them alive."""

import dataclasses
import weakref
from typing import Any

from gdlab.training.objective import ByIdentity, Objective


class WeakIdentity:
    """A function by its identity, which no other function has as long as this one is alive."""

    __slots__ = ("_hash", "_reference")

    def __init__(self, function: Any):
        self._reference, self._hash = weakref.ref(function), id(function)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        mine = self._reference()
        return isinstance(other, WeakIdentity) and mine is not None and mine is other._reference()


class PlanOf:
    """The plan of a setup, equal to other equal plans, that keeps neither alive.

    JAX never lets go of the static arguments of a program that is given arrays to reuse, not even
    by ``jax.clear_caches()``: it remembers for good which arrays go with them.
    """

    __slots__ = ("_key", "_setup")

    def __init__(self, setup: Any):
        self._setup, self._key = weakref.ref(setup), weak_key(setup.plan)

    @property
    def plan(self) -> Any:
        """The plan, which is there while the setup is."""
        setup = self._setup()
        assert setup is not None  # programs are traced only while their setup is in use
        return setup.plan

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlanOf) and self._key == other._key


def weak_key(value: Any) -> Any:
    """What is equal for equal values, with functions by :class:`ByIdentity` held weakly."""
    if isinstance(value, ByIdentity):
        try:
            return WeakIdentity(value.function)
        except TypeError:
            return value  # there is no weak reference to objects of such a class
    if isinstance(value, tuple):
        return type(value), *map(weak_key, value)
    if isinstance(value, Objective):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return Objective, *map(weak_key, fields)
    return value

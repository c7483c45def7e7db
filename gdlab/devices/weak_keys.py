"""Cache keys that compare users' functions by identity without keeping them alive."""

import dataclasses
import weakref
from typing import Any

from gdlab.training.objective import ByIdentity, Objective


class WeakIdentity:
    """A weak reference to a function, compared by identity."""

    __slots__ = ("_hash", "_reference")

    def __init__(self, function: Any):
        self._reference, self._hash = weakref.ref(function), id(function)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        mine = self._reference()
        return isinstance(other, WeakIdentity) and mine is not None and mine is other._reference()


def weak_key(value: Any) -> Any:
    """A key that is equal for equal values, and holds functions by :class:`ByIdentity` weakly."""
    if isinstance(value, ByIdentity):
        try:
            return WeakIdentity(value.function), weak_key(value.keywords_key)
        except TypeError:
            return value  # objects of such a class cannot be weakly referenced
    if isinstance(value, tuple):
        return type(value), *map(weak_key, value)
    if isinstance(value, Objective):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return Objective, *map(weak_key, fields)
    return value

"""optax's state classes, with gdlab's states of the same entries as instances."""

import functools
import importlib
import inspect
from typing import Any

from gdlab.core.state import State

OF_ANY_CHAIN = {"count"}
"""Entries that a state may have in addition to those of any link."""


def is_state_class(value: Any) -> bool:
    """Tell whether a value is a named-tuple class of an optimizer state."""
    is_named = isinstance(value, type) and issubclass(value, tuple)
    return is_named and value.__name__.endswith("State") and bool(getattr(value, "_fields", ()))


class _OfStates(type):
    """A metaclass by which a gdlab state with the fields of a class is an instance of it."""

    def __instancecheck__(cls, instance: object) -> bool:
        theirs = cls.__mro__[1]
        if cls.__mro__[2] is not tuple:  # a user's own subclass
            return super().__instancecheck__(instance)
        if not isinstance(instance, State):
            return isinstance(instance, theirs)
        own = set(theirs._fields)  # type: ignore[attr-defined]
        entries = set(instance)
        fuller = (fields for fields in _fields_of_states() if own < fields <= entries)
        return own <= entries and (own == OF_ANY_CHAIN or not any(fuller))


@functools.cache
def recognising(theirs: Any) -> Any:
    """A subclass of optax's class that makes its tuples and has gdlab's states as instances.

    Args:
        theirs: a class of named tuples.
    """

    def make(cls, *args, **kwargs):  # noqa: ARG001
        return theirs(*args, **kwargs)

    body = {
        "__slots__": (),
        "__new__": make,
        "__signature__": inspect.signature(theirs),
        "__doc__": theirs.__doc__,
        "__module__": theirs.__module__,
    }
    return _OfStates(theirs.__name__, (theirs,), body)


@functools.cache
def _fields_of_states() -> frozenset[frozenset[str]]:
    modules = (importlib.import_module(name) for name in ("optax", "optax.contrib"))
    public = (vars(module)[name] for module in modules for name in dir(module))
    return frozenset(frozenset(value._fields) for value in public if is_state_class(value))  # type: ignore[attr-defined]

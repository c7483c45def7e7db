"""Stored forms: pytrees that stand for one array in a state, such as codes with scales."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, TypeVar

import jax
import jax.numpy as jnp

from gdlab.core.structure import Signal, Tree

F = TypeVar("F", bound=type)
_FORMS: set[type] = set()


class StoredForm(Protocol):
    """A pytree that stands for one array in a state."""

    is_passed_on: ClassVar[bool]
    """True if a rule whose output is its slot puts out the stored array, read back."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        ...

    def read(self) -> jax.Array:
        """The stored array, in float32 at least."""
        ...

    def write(self, array: jax.Array) -> Self:
        """Another array in the same stored form."""
        ...


def stored_form(cls: F) -> F:
    """Register a class whose instances stand for one array when a state is read or written."""
    _FORMS.add(cls)
    return cls


def known_forms() -> list[Any]:
    """The classes whose instances stand for one array."""
    return sorted(_FORMS, key=lambda form: form.__name__)


def is_stored_form(node: object) -> bool:
    """Tell whether a node of a state is a stored form of an array."""
    return type(node) in _FORMS


def read_forms(stored: Tree, until: Callable[[Any], bool] = is_stored_form) -> Tree:
    """A part of a state with its stored forms read as arrays.

    Args:
        stored: a part of a state.
        until: a predicate of nodes; nodes for which it is true are not searched for stored forms.
    """
    is_leaf = lambda node: is_stored_form(node) or until(node)  # noqa: E731
    one = lambda node: node.read() if is_stored_form(node) else node  # noqa: E731
    return jax.tree.map(one, stored, is_leaf=is_leaf)


# --- Marks of slots while a state is initialised


@stored_form
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MarkedSlot:
    """An array of a state during ``init``, with the facts by which its stored form is chosen."""

    is_passed_on: ClassVar[bool] = False
    array: jax.Array
    is_nonnegative: bool = field(metadata={"static": True})
    """True if the rule declares that the array has no negative elements."""
    is_shared: bool = field(default=False, metadata={"static": True})
    """True for values that all arrays share, which are stored as they are."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.array.shape

    def read(self) -> jax.Array:
        """The array itself."""
        return self.array

    def write(self, array: jax.Array) -> "MarkedSlot":
        """Return another array with the same marks."""
        return MarkedSlot(array, self.is_nonnegative, self.is_shared)


_thread = threading.local()


def is_marking() -> bool:
    """Tell whether rules are to mark the slots that they initialise."""
    return getattr(_thread, "is_marking", False)


@contextmanager
def marking() -> Iterator[None]:
    """A context in which rules mark the slots that they initialise."""
    outer, _thread.is_marking = is_marking(), True
    try:
        yield
    finally:
        _thread.is_marking = outer


def marked(slot: Tree, like: Signal, is_nonnegative: bool) -> Tree:
    """Mark a slot if it is an array whose last axes have the shape of the signal ``like``."""
    shape = jax.tree.leaves(like)[0].shape
    if not isinstance(slot, jax.Array) or not jnp.issubdtype(slot.dtype, jnp.inexact):
        return slot
    is_like_signal = slot.shape[max(slot.ndim - len(shape), 0) :] == shape
    return MarkedSlot(slot, is_nonnegative) if is_like_signal else slot


def marked_as_shared(values: Tree) -> Tree:
    """Mark the values that all arrays share, inside the context :func:`marking`."""
    one = lambda value: MarkedSlot(value, False, is_shared=True)  # noqa: E731
    return jax.tree.map(one, values) if is_marking() else values

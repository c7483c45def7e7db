"""The forms other than plain arrays in which a state may hold an array."""

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
    """True if a rule whose signal is what it keeps goes on with the array as it has been stored."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        ...

    def read(self) -> jax.Array:
        """The array that is stored, in float32 at least."""
        ...

    def write(self, array: jax.Array) -> Self:
        """The same form of another array."""
        ...


def stored_form(cls: F) -> F:
    """Let the instances of a class stand for one array wherever a state is read or written."""
    _FORMS.add(cls)
    return cls


def known_forms() -> list[Any]:
    """The classes whose instances stand for one array."""
    return sorted(_FORMS, key=lambda form: form.__name__)


def is_stored_form(node: object) -> bool:
    """Tell whether a node of a state is no array, but stands for one."""
    return type(node) in _FORMS


def read_forms(stored: Tree, until: Callable[[Any], bool] = is_stored_form) -> Tree:
    """A part of a state with arrays in place of what stands for them.

    Args:
        stored: what is kept.
        until: tells of a node whether it is left as it is.
    """
    is_leaf = lambda node: is_stored_form(node) or until(node)  # noqa: E731
    one = lambda node: node.read() if is_stored_form(node) else node  # noqa: E731
    return jax.tree.map(one, stored, is_leaf=is_leaf)


# --- What is known of a slot while a state is made


@stored_form
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MarkedSlot:
    """An array of a state while the form is being chosen in which it is stored."""

    is_passed_on: ClassVar[bool] = False
    array: jax.Array
    is_nonnegative: bool = field(metadata={"static": True})
    """True if it has no negative elements, as far as its rule knows."""
    is_shared: bool = field(default=False, metadata={"static": True})
    """True for what all arrays share, which stays as it is; others have their signal's shape."""

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
    """Tell whether the slots that are made now are to be marked."""
    return getattr(_thread, "is_marking", False)


@contextmanager
def marking() -> Iterator[None]:
    """A context in which rules mark the slots that they make."""
    outer, _thread.is_marking = is_marking(), True
    try:
        yield
    finally:
        _thread.is_marking = outer


def marked(slot: Tree, like: Signal, is_nonnegative: bool) -> Tree:
    """A slot that is one array, or several in a row, of the shape of the signal, with its mark."""
    shape = jax.tree.leaves(like)[0].shape
    if not isinstance(slot, jax.Array) or not jnp.issubdtype(slot.dtype, jnp.inexact):
        return slot
    is_like_signal = slot.shape[max(slot.ndim - len(shape), 0) :] == shape
    return MarkedSlot(slot, is_nonnegative) if is_like_signal else slot


def marked_as_shared(values: Tree) -> Tree:
    """The values that all arrays share, each with its mark while slots are marked."""
    one = lambda value: MarkedSlot(value, False, is_shared=True)  # noqa: E731
    return jax.tree.map(one, values) if is_marking() else values

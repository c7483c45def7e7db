"""The forms other than plain arrays in which a state may hold an array."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, Self, TypeVar

import jax

from gdlab.core.structure import Tree

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

"""Correspondences of two libraries' states: the vocabulary in which layouts are written.

A layout is a list of the items below. Paths are dotted and relative: those of the other library to
the part of its state that belongs to a method, those of gdlab to the entries of the method.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from gdlab.core.transformation import GradientTransformation

Array = np.ndarray
Arrays = Sequence[Any]
"""The arrays at one leaf, None where there is none."""


class BesideTheirs(Protocol):
    """The information that a conversion to gdlab may use besides the arrays at its leaf."""

    def param(self) -> Array:
        """The parameter of the leaf."""
        ...

    def slow_param(self) -> Array:
        """The slow parameter of the leaf, if the parameters are a pair of fast and slow ones."""
        ...

    def theirs(self, path: str) -> Array:
        """An array of the other library's state, by its path within the method."""
        ...

    def updates(self) -> int:
        """The number of updates that the state is after."""
        ...


class BesideOurs(Protocol):
    """The information that a conversion from gdlab may use besides the arrays at its leaf."""

    def ours(self, path: str) -> Array:
        """An array of gdlab's state, by its path within the method."""
        ...

    def updates(self) -> int:
        """The number of updates that the state is after."""
        ...


class Moved(NamedTuple):
    """Arrays that are the same on both sides, or are computed from each other leaf by leaf."""

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    forward: Callable[[Arrays, Arrays, BesideTheirs], Arrays]
    """``forward(theirs, like, beside)`` → ours, where ``like`` has their shapes"""
    backward: Callable[[Arrays, BesideOurs], Arrays]
    """``backward(ours, beside)`` → theirs"""


class Count(NamedTuple):
    """A count of the updates in the other library's state."""

    theirs: str
    ahead: int = 0
    """The number by which it is ahead of the number of updates."""
    of_schedule: bool = False
    """True if it is there because a hyperparameter follows a schedule."""


class FromCount(NamedTuple):
    """An array of the other library's state that the number of updates determines."""

    theirs: str
    value: Callable[[int], Array]
    least: Callable[[Array], int]
    """The least number of updates for a value, which is used if nothing else determines the
    number."""


class Fixed(NamedTuple):
    """A constant in the other library's state that ``tx`` determines."""

    theirs: str
    value: Callable[[], Array]
    check: bool = False
    """True if the value must agree with that of ``tx``."""


class Fresh(NamedTuple):
    """An entry of gdlab's state that optax lacks, and that keeps its initial value."""

    ours: str
    reason: str | None = None
    """The reason why an entry with another value cannot be converted; None if nothing reads it."""


class Wrapped(NamedTuple):
    """The state of a wrapped transformation, which is a separate state in gdlab."""

    theirs: str
    ours: tuple[str, ...]
    """The keys that lead to it, of which the first is the name of an entry."""
    tx: GradientTransformation
    layout: tuple["Item", ...] | None = None
    """The layout of the wrapped state, if ``tx`` does not determine it."""
    counts: tuple[str, ...] = ()
    """The counts of its updates in the wrapper's state."""
    in_step: bool = True
    """False if the wrapped transformation is not run at every step of the wrapper."""


class Refused(NamedTuple):
    """An entry that cannot be converted."""

    theirs: str
    reason: str


Item = Moved | Count | FromCount | Fixed | Fresh | Wrapped | Refused


def same(theirs: str, ours: str | None = None) -> Moved:
    """Arrays that are the same, up to axes of length one."""
    return Moved((theirs,), (theirs if ours is None else ours,), _reshaped, lambda ours, _: ours)


def _reshaped(theirs: Arrays, like: Arrays, _: BesideTheirs) -> Arrays:
    return [
        None if x is None else x.reshape(y.shape) if y is not None and x.size == y.size else x
        for x, y in zip(theirs, like, strict=True)
    ]


def below(prefix: str, items: Sequence[Item]) -> list[Item]:
    """The items with paths of the other library that begin with ``prefix``."""
    return [_below(prefix, item) for item in items]


def _below(prefix: str, item: Item) -> Item:
    if isinstance(item, Fresh):
        return item
    if isinstance(item, Moved):
        return item._replace(theirs=tuple(joined(prefix, path) for path in item.theirs))
    if isinstance(item, Wrapped):
        counts = tuple(joined(prefix, path) for path in item.counts)
        return item._replace(theirs=joined(prefix, item.theirs), counts=counts)
    return item._replace(theirs=joined(prefix, item.theirs))


def joined(*parts: str) -> str:
    """A dotted path of the parts that are not empty."""
    return ".".join(filter(None, parts))

"""The opening of a transformation: the computation of its rule from its hyperparameters.

A transformation is opened once in a trace. Its schedules are evaluated to numbers, its parts are
opened in turn, and the author's function of each part is called with numbers of one dtype.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

import jax
import numpy as np

from gdlab.checks.user_functions import called_as
from gdlab.core.by_leaf import ByLeaf
from gdlab.core.numerics import is_array, numbers_as
from gdlab.core.parametrized import Parametrized, at_step, has_schedules, own_arguments
from gdlab.core.rules import (
    READ_BY_INIT,
    ArrayRule,
    Part,
    Reading,
    TreeRule,
)
from gdlab.core.structure import (
    Function,
    Leaf,
    Signal,
    Value,
    is_argument,
)

Rule = ArrayRule | TreeRule
FLOAT32 = np.dtype(np.float32)
LIKE_INPUT = "like input"
NonNegative: TypeAlias = bool | Literal["like input"] | tuple[str, ...]
"""A declaration of arrays without negative elements: the output and all slots of a rule (True); the
same provided that its input has none (``"like input"``); or the slots with these names."""


class Opening:
    """The step and the dtype at which a transformation is opened, and facts found on the way."""

    __slots__ = ("count", "counted", "dtype", "links")

    def __init__(self, count: Leaf = 0, dtype: np.dtype = FLOAT32, links: int = 0):
        self.count: Leaf = count
        """The number of updates applied so far."""
        self.dtype: np.dtype = dtype
        """The real dtype of all numbers."""
        self.links: int = links
        """The number of parts opened so far that read a key."""
        self.counted: bool = False
        """True if an opened part depends on the count."""

    def next_link(self) -> int:
        """Number the next part that reads a key, so that it gets random numbers of its own."""
        self.links += 1
        return self.links - 1


class Declaration(NamedTuple):
    """The declarations that an author handed to the decorator of a function."""

    open: Callable[[Parametrized, "Declaration", Opening], Rule]
    reads: tuple[str, ...] = ()
    slots: tuple[str, ...] | None = None
    shared: str | None = None
    init_reads: tuple[str, ...] = ()
    nonnegative: NonNegative = False
    squares: bool = False

    def gives_nonnegative(self, given: bool) -> bool:
        """Tell whether the output is nonnegative; ``given`` says if the input is known to be."""
        return given if self.nonnegative == LIKE_INPUT else self.nonnegative is True

    def has_nonnegative(self, slot: str, given: bool) -> bool:
        """Tell whether a slot is nonnegative; ``given`` says if the input is known to be."""
        if isinstance(self.nonnegative, tuple):
            return slot in self.nonnegative
        return self.gives_nonnegative(given)


def declaration(
    function: Function,
    open_: Callable[[Parametrized, Declaration, Opening], Rule],
    known: tuple[str, ...],
    reads: str | tuple[str, ...],
    slots: str | tuple[str, ...] | None,
    shared: str | None = None,
    init_reads: str | tuple[str, ...] = (),
    nonnegative: NonNegative = False,
    squares: bool = False,
) -> Declaration:
    """Check the declarations that a decorator got for ``function``.

    Raises:
        ValueError: if a name that is read is not among ``known``, or a name of a slot is unknown.
    """
    if not callable(function):
        raise TypeError(f"function must be a function of annotated parameters, not {function!r}")
    for names, there_are in ((_names(reads), known), (_names(init_reads), READ_BY_INIT)):
        for name in names:
            if name not in there_are:
                raise ValueError(
                    f"{function.__name__}: there is no {name!r} to read; there are "
                    f"{', '.join(there_are)}"
                )
    slots = None if slots is None else _names(slots)
    for name in slots or ():
        if "." in name or not name or slots.count(name) > 1:  # type: ignore[union-attr]
            raise ValueError(
                f"{function.__name__}: slots must be different names without a dot, not {slots}"
            )
    known_slots = (function.__name__,) if slots is None else slots
    for name in nonnegative if isinstance(nonnegative, tuple) else ():
        if name not in known_slots:
            raise ValueError(
                f"{function.__name__}: nonnegative names {name!r}, which is no slot; the slots are "
                f"{', '.join(known_slots)}"
            )
    return Declaration(
        open_, _names(reads), slots, shared, _names(init_reads), nonnegative, squares
    )


def _names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def open_rule(tx: Parametrized, opening: Opening) -> Rule:
    """Open ``tx``: the rule by which it computes its updates."""
    if has_schedules(tx):
        opening.counted = True
        tx = at_step(tx, opening.count)
    declared: Declaration = tx.factory.declared
    outer, _thread.is_opening = is_opening(), True
    try:
        return declared.open(tx, declared, opening)
    finally:
        _thread.is_opening = outer


_thread = threading.local()


def is_opening() -> bool:
    """Tell whether a transformation is being opened, and with it all those that it creates."""
    return getattr(_thread, "is_opening", False)


# --- Wiring: the rules of parts put together


def open_wiring(tx: Parametrized, _: Declaration, opening: Opening) -> Rule:
    """The rule that a ``@wiring`` function returns for the rules of its parts."""

    def opened(node: Value) -> Value:
        if isinstance(node, Parametrized) and not node.has_own_clock:
            return OpenJoin(node, opening)
        if isinstance(node, Parametrized):
            links = opening.links
            rule = open_rule(node, opening)
            return Part(node, rule, opening.count, opening.dtype, links)
        return node

    children = [jax.tree.map(opened, child, is_leaf=is_argument) for child in tx.children]
    return tx.called_with(tx.structure.values | dict(zip(tx.factory.data, children, strict=True)))


class OpenJoin:
    """A join with its schedules evaluated and its numbers cast, which selects values by leaf."""

    def __init__(self, join: Parametrized, opening: Opening):
        self.by_leaf: list[ByLeaf] = by_leaf_values_in(join)
        self.is_bus: bool = join.factory.name == "bus"
        self._at = AtLeaf(join, self.by_leaf, opening)

    def __call__(self, reading: Reading, *values: Value) -> Value:
        """The return value of the join for these values."""
        return called_as("join(array, …)", self._at(reading), *values)

    def signal(self, reading: Reading, *signals: Signal) -> Signal:
        """The signal that the join returns for the signals of the branches.

        Raises:
            TypeError: if the return value is not an array.
        """
        joined = called_as("join(array, …)", self._at(reading), *signals)
        if not self.is_bus and not is_array(joined):
            raise TypeError(
                f"fork: a join must return one array made of those of the branches, not {joined!r}"
            )
        return joined


def _is_one(node: object) -> bool:
    return isinstance(node, ByLeaf) or is_argument(node)


def by_leaf_values_in(made: Parametrized) -> list[ByLeaf]:
    """The values by leaf among the own arguments of ``made`` and of its joins."""
    return [value for value in own_arguments(made, _is_one) if isinstance(value, ByLeaf)]


def at_leaf(made: Parametrized, values: Mapping[int, Leaf]) -> Parametrized:
    """``made`` with each value by leaf replaced by the value of one leaf, looked up by ``id``."""

    def here(node: Value) -> Value:
        if isinstance(node, ByLeaf):
            return values[id(node)]
        if isinstance(node, Parametrized) and not node.has_own_clock:
            return at_leaf(node, values)
        return node

    children = [jax.tree.map(here, child, is_leaf=_is_one) for child in made.children]
    return made.build(made.factory, tuple(children), made.structure)


class AtLeaf:
    """An author's function, called once for each combination of values by leaf."""

    def __init__(self, made: Parametrized, own: list[ByLeaf], opening: Opening):
        self.made: Parametrized = made
        self.own: list[ByLeaf] = own
        self.dtype: np.dtype = opening.dtype
        self.plain: Value = None if own else self.called(made)

    def called(self, made: Parametrized) -> Value:
        """Call the author's function with the numbers of ``made``."""
        made = numbers_as(made, self.dtype)
        return made.called_with(made.arguments())

    def __call__(self, reading: Reading) -> Value:
        """The return value for the leaf of ``reading``."""
        if not self.own:
            return self.plain
        return self.called(at_leaf(self.made, reading.by_leaf))

    def sampled(self) -> Value:
        """The return value for sample values, as of any one leaf."""
        return self(Reading(by_leaf={id(value): value.sample() for value in self.own}))

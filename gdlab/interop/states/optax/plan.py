"""The walk through an optimizer of gdlab and a state of optax together."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.access import hyperparameters
from gdlab.core.numerics import is_array
from gdlab.core.parametrized import at_step, is_schedule
from gdlab.core.representation import described
from gdlab.core.structure import Leaf
from gdlab.core.transformation import GradientTransformation, composition_of
from gdlab.core.wiring import chain, named_chain
from gdlab.interop.states.following import (
    Followed,
    Following,
    as_composition,
    in_force,
    settled,
)
from gdlab.interop.states.optax.correspondence import (
    Count,
    Fixed,
    Fresh,
    FromCount,
    Item,
    Moved,
    Refused,
    Wrapped,
    below,
    joined,
)
from gdlab.interop.states.optax.flat import Flat
from gdlab.interop.states.optax.methods import METHODS, Layout
from gdlab.interop.states.optax.wrappers import WRAPPERS
from gdlab.interop.states.places import Place, links, opened, place_of
from gdlab.interop.states.step_entries import counts, follow_schedules

LAYOUTS: dict[str, Layout] = {**METHODS, **WRAPPERS}


class Level:
    """One state of gdlab, within those of wrappers, and what optax keeps of its steps."""

    def __init__(self, tx: Followed, keys: tuple[str, ...], in_step_with: "Level | None"):
        self.tx: Followed = settled(tx)
        """The transformation whose state it is."""
        self.keys = keys
        """The keys that lead to the state within the whole."""
        self.in_step_with: list[Level] = []
        """The levels around it and within it that count the same steps."""
        self.counts: list[Count] = []
        self.from_count: list[FromCount] = []
        if in_step_with is not None:
            self.in_step_with.append(in_step_with)
            in_step_with.in_step_with.append(self)

    def path(self, entry: str) -> str:
        """The dotted path of an entry within the state of the whole."""
        return ".".join((*self.keys, entry))

    def together(self) -> Iterator["Level"]:
        """This level, and then all that count the same steps."""
        seen, waiting = [self], [self]
        while waiting:
            level = waiting.pop(0)
            yield level
            new = [other for other in level.in_step_with if other not in seen]
            seen, waiting = seen + new, waiting + new


class Part(NamedTuple):
    """A part of an optimizer, at a path of optax's state."""

    place: Place
    followed: Followed
    """The same, but that the schedules of a method around it are followed by the count of that
    method, as gdlab does."""
    at: str
    level: Level
    is_injected: bool = False

    def opened(self) -> "Part | None":
        """The composition that a named method is."""
        made = composition_of(self.place.tx)
        if made is None:
            return None
        followed = Following(self.followed, as_composition)
        return self._replace(place=self.place._replace(tx=made), followed=followed)

    def links(self) -> "list[Part]":
        """The links of a chain."""
        pairs = zip(links(self.place.tx), opened(self.place), strict=True)
        return [
            self._replace(
                place=place,
                followed=Following(self.followed, _Link(index)),
                at=joined(self.at, name or str(index)),
            )
            for index, ((name, _), place) in enumerate(pairs)
        ]


class _Link(NamedTuple):
    index: int

    def __call__(self, tx: GradientTransformation, _: Leaf) -> GradientTransformation:
        return links(tx)[self.index][1]


class _Inner(NamedTuple):
    """The transformation that a method wraps, whose state lies at these keys."""

    keys: tuple[str, ...]

    def __call__(self, tx: GradientTransformation, step: Leaf) -> GradientTransformation:
        now = at_step(tx, step)
        items = LAYOUTS[now.factory.name](now)
        (found,) = (x for x in items if isinstance(x, Wrapped) and x.ours == self.keys)
        return found.tx


class _Assigned:
    """An ``inject`` of gdlab with other numbers."""

    def __init__(self, numbers: dict[str, jax.Array]):
        self.numbers = numbers

    def __call__(self, tx: GradientTransformation, _: Leaf) -> GradientTransformation:
        return tx.replace(numbers=dict(tx.numbers.items()) | self.numbers)


class Move(NamedTuple):
    """Arrays to be moved between absolute paths."""

    what: Moved
    at: str
    """The path of the method in optax's state, to which conversions refer."""
    place: Place
    level: Level

    def paths(self) -> tuple[list[str], list[str]]:
        """The absolute paths in optax's state, and in gdlab's."""
        theirs = [joined(self.at, path) for path in self.what.theirs]
        return theirs, [self.level.path(entry(self.place, path)) for path in self.what.ours]


class Injected(NamedTuple):
    """A number that optax's ``inject_hyperparams`` keeps in its state."""

    theirs: str
    name: str
    tx: GradientTransformation
    level: Level
    is_scheduled: bool
    """True if it follows a schedule in optax."""

    def number(self, step: int) -> Leaf | None:
        """The same number in ``tx`` at a step, or None if it is no argument of ``tx``."""
        own = self.tx.arguments().get(self.name)
        if own is not None and is_schedule(own):
            return own(jnp.asarray(step, jnp.int32))
        is_number = is_array(own) or (isinstance(own, int | float) and not isinstance(own, bool))
        return own if is_number else None

    def follows(self) -> bool:
        """Tell whether it follows a schedule in ``tx``."""
        return is_schedule(self.tx.arguments().get(self.name))

    def numbers(self) -> list[Leaf]:
        """The numeric hyperparameters of ``tx``, one of which may be the number by another name."""
        return [x for x in hyperparameters(self.tx).values() if is_array(x) or type(x) is float]


class Plan:
    """The plan of a conversion between a state of optax and one of gdlab."""

    def __init__(
        self, tx: GradientTransformation, theirs: Collection[str] | None, held: Flat | None = None
    ):
        self.theirs = theirs
        """The paths of optax's state, where it is known."""
        self.held: Flat = held or {}
        """The arrays of optax's state, where it is the one to be moved."""
        self.moves: list[Move] = []
        self.fixed: list[Fixed] = []
        self.fresh: dict[str, str | None] = {}
        self.injected: list[Injected] = []
        self.refused: list[Refused] = []
        self.levels: list[Level] = []
        self._walk(tx, tx, "", Level(tx, (), None), None)

    def _walk(
        self,
        tx: GradientTransformation,
        followed: Followed,
        at: str,
        level: Level,
        layout: Sequence[Item] | None,
    ) -> None:
        """Plan for a transformation that has a state of its own."""
        self.levels.append(level)
        part = Part(Place(tx, place_of(in_force(followed, 0)).entries), followed, at, level)
        if layout is None:
            self._part(part)
        else:
            self._items(layout, part)

    def _part(self, part: Part) -> None:
        tx = part.place.tx
        if tx.factory.name != "inject" and self._has(joined(part.at, "hyperparams")):
            self._injection(part)
            part = part._replace(at=joined(part.at, "inner_state"), is_injected=True)
        if tx.factory.name == "inject":
            part = self._with_held_numbers(part)
            tx = part.place.tx
        layout = LAYOUTS.get(tx.factory.name) if _is_of_gdlab(tx) else None
        if layout is not None:
            self._items(list(layout(tx)), part)
        elif (made := part.opened()) is not None:
            self._part(made)
        elif tx.factory in (chain.factory, named_chain.factory):  # type: ignore[attr-defined]
            for link in part.links():
                self._part(link)
        elif part.place.entries or (counts(tx) and tx.factory.name != "count_steps"):
            reason = f"optax has no counterpart of {described(tx)}"
            self.refused.append(Refused(part.at, reason))

    def _items(self, items: Sequence[Item], part: Part) -> None:
        if unknown := _entries_of(items) - set(part.place.entries):
            reason = f"{described(part.place.tx)} keeps no {sorted(unknown)[0]} as it is"
            self.refused.append(Refused(part.at, f"{reason}: an option is set that optax has not"))
            return
        for own, item in zip(items, below(part.at, items), strict=True):
            if isinstance(item, Wrapped):
                self._wrapped(item, part)
            else:
                self._item(own, item, part)

    def _wrapped(self, item: Wrapped, part: Part) -> None:
        first, *rest = item.ours
        keys = (*part.level.keys, part.place.entry(first), *rest)
        followed = Following(part.followed, _Inner(item.ours))
        if not item.in_step and follow_schedules(followed):
            reason = (
                f"{described(item.tx)} has decays that follow a schedule outside of "
                f"{described(part.place.tx)}, which does not tell its steps"
            )
            self.refused.append(Refused(item.theirs, reason))
            return
        level = Level(followed, keys, part.level if item.in_step else None)
        level.counts += [Count(path) for path in item.counts]
        self._walk(item.tx, followed, item.theirs, level, item.layout)

    def _item(self, own: Item, item: Item, part: Part) -> None:
        level = part.level
        if isinstance(own, Moved):
            self.moves.append(Move(own, part.at, part.place, level))
        elif isinstance(item, Count):
            # What is injected is a number to the inner transformation.
            is_absent = part.is_injected and item.of_schedule and not self._has(item.theirs)
            level.counts += [] if is_absent else [item]
        elif isinstance(item, FromCount):
            level.from_count.append(item)
        elif isinstance(item, Fresh):
            self.fresh[level.path(entry(part.place, item.ours))] = item.reason
        elif isinstance(item, Fixed):
            self.fixed.append(item)
        elif isinstance(item, Refused):
            self.refused.append(item)

    def _with_held_numbers(self, part: Part) -> Part:
        """An ``inject`` of gdlab with the numbers that were assigned in the state."""
        tx, numbers = part.place.tx, {}
        for name in tx.numbers.keys() - {*tx.scheduled}:
            path = joined(part.at, "hyperparams", name)
            numbers |= {name: jnp.asarray(self.held[path])} if path in self.held else {}
        assigned = _Assigned(numbers)
        place = part.place._replace(tx=assigned(tx, 0))
        return part._replace(place=place, followed=Following(part.followed, assigned))

    def _injection(self, part: Part) -> None:
        at, level, tx = part.at, part.level, part.place.tx
        level.counts.append(Count(joined(at, "count")))
        for path in self.theirs or ():
            if _is_below(path, joined(at, "hyperparams_states")) and path.endswith(".count"):
                level.counts.append(Count(path))
            elif _is_below(path, values := joined(at, "hyperparams")):
                name = path.removeprefix(values).removeprefix(".")
                is_scheduled = self._has(joined(at, "hyperparams_states", name))
                self.injected.append(Injected(path, name, tx, level, is_scheduled))

    def _has(self, prefix: str) -> bool:
        return any(_is_below(path, prefix) for path in self.theirs or ())


def entry(place: Place, path: str) -> str:
    """A path within the entries of a part, as a path within the state of its level."""
    first, *rest = path.split(".")
    return joined(place.entry(first), *rest)


def _entries_of(items: Sequence[Item]) -> set[str]:
    """The names of the entries of gdlab's that a layout speaks of."""
    paths = [path for item in items if isinstance(item, Moved) for path in item.ours]
    paths += [item.ours for item in items if isinstance(item, Fresh)]
    keys = [item.ours[0] for item in items if isinstance(item, Wrapped)]
    return {path.split(".")[0] for path in paths} | set(keys)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + ".")


def _is_of_gdlab(tx: GradientTransformation) -> bool:
    return tx.factory.function.__module__.split(".")[0] == "gdlab"

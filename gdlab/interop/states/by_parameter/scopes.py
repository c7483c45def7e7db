"""The states within a state: one for each transformation that a wrapper wraps."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gdlab.core.numerics import is_array
from gdlab.core.parametrized import at_step, is_schedule
from gdlab.core.state import State, is_state
from gdlab.core.structure import (
    Leaf,
    Params,
    Tree,
    Value,
    flatten,
    flatten_up_to,
    leaves_with_paths,
)
from gdlab.core.transformation import GradientTransformation, is_wiring
from gdlab.interop.states.following import Followed, Following, in_force, settled
from gdlab.interop.states.places import Place, opened, place_of
from gdlab.interop.states.step_entries import entries_after, follow_schedules

BEGIN_ANEW = (
    "accumulate",
    "apply_if_finite",
    "monitor",
    "params_ema",
    "scale_by_backtracking_linesearch",
    "scale_by_zoom_linesearch",
    "skip_outliers",
)
"""Parts whose entries are initialised if the other library lacks them."""

LEAVE_OUT_STEPS = (
    "accumulate",
    "apply_if_finite",
    "conditionally_mask",
    "conditionally_transform",
    "skip_outliers",
)
"""Wrappers whose inner transformations have other step counts than the wrapper."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """A transformation whose parts share one state, and that state."""

    followed: Followed
    """The transformation, which may follow schedules of a method around it."""
    state: State
    params: Params
    """The parameters of the whole optimizer; the state has None for those that it leaves out."""
    count: int | None
    """The number of updates behind the state, if known."""

    @functools.cached_property
    def tx(self) -> GradientTransformation:
        """The transformation with the numbers that a method around it passes at the first step."""
        return in_force(self.followed, 0)

    @functools.cached_property
    def parts(self) -> list[Place]:
        """The parts of the composition, in order, with their entries."""
        return _parts(place_of(self.tx))

    @functools.cached_property
    def entries(self) -> dict[str, str]:
        """The entry of each role, such as ``mu``, whatever the entry is called in the state.

        An average has the role ``nu`` if it averages squares, and ``mu`` otherwise. The entries of
        a wrapper are prefixed with its name, as in ``accumulate.mean``. Entries that the number of
        updates determines are left out.

        Raises:
            ValueError: if two entries have one role.
        """
        found: dict[str, str] = {}
        before, determined = "", entries_after(self.tx, 0)
        for place in self.parts:
            for own, entry in place.entries.items():
                if entry in determined:
                    continue
                role = _role(place.tx.factory.name, own, before)
                if role in found:
                    raise ValueError(
                        f"{self.tx!r} keeps two entries for {role!r}, {found[role]!r} and "
                        f"{entry!r}, and no other library has such a method"
                    )
                found[role] = entry
            before = place.tx.factory.name
        return found

    def with_state(self, state: State) -> "Scope":
        """The scope with another state."""
        return dataclasses.replace(self, state=state)

    def place_of(self, entry: str) -> Place:
        """The part to which an entry belongs."""
        return next(place for place in self.parts if entry in place.entries.values())

    def constant(self, entry: str, read: Callable[[GradientTransformation], Value]) -> float:
        """A number of a part, which must be the same at every step and for each parameter.

        Args:
            entry: an entry of the state.
            read: a function from the part to which the entry belongs to a number of the part.

        Raises:
            ValueError: if the number follows a schedule or differs by parameter.
        """
        position = next(i for i, place in enumerate(self.parts) if entry in place.entries.values())
        found: list[Value] = []

        def look(step: jax.Array) -> None:
            found.append(read(_parts(place_of(in_force(self.followed, step)), step)[position].tx))

        jax.eval_shape(look, jnp.zeros((), jnp.int32))
        (value,) = found
        is_one = isinstance(value, int | float) or (is_array(value) and not value.ndim)
        if isinstance(value, Tracer) or not is_one:
            raise ValueError(
                f"the entry {entry!r} of {self.tx!r} is another multiple of what the other library "
                "keeps at each step or for each parameter, since a number of it follows a schedule "
                "or is given by parameter: give one number, or begin with a fresh state"
            )
        return float(value)

    def leaves(self, entry: str) -> list[tuple[str, Leaf]]:
        """The path of each parameter, and the entry's array for it, or None if it is left out."""
        paths = [path for path, _ in leaves_with_paths(self.params)]
        tree, treedef = _tree_of(self.state[entry]), flatten(self.params)[1]
        kept = flatten_up_to(f"the entry {entry!r}", tree, "params", self.params, treedef)
        return list(zip(paths, kept, strict=True))

    def with_leaves(self, entry: str, leaves: list[Leaf]) -> Tree:
        """The value of the entry with other leaves."""
        tree = flatten(self.params)[1].unflatten(leaves)
        value = self.state[entry]
        return value._replace(average=tree) if _is_average(value) else tree


def _role(part: str, own: str, before: str) -> str:
    if part in BEGIN_ANEW:
        return f"{part}.{own}"
    if own == "ema" and before == "square":
        return "nu"
    return {"ema": "mu", "nesterov_ema": "mu", "running_maximum": "nu_max"}.get(own, own)


def _tree_of(value: Tree) -> Tree:
    return value.average if _is_average(value) else value


def _is_average(value: Tree) -> bool:
    """Tell whether an entry is an average of the parameters with additional arrays."""
    return hasattr(value, "average")


def _parts(place: Place, step: Leaf = 0) -> list[Place]:
    # A schedule is evaluated by the method that has it, and its parts have numbers.
    inner = opened(place._replace(tx=at_step(place.tx, step)))
    return [part for below in inner for part in _parts(below, step)] if inner else [place]


class _Inner(NamedTuple):
    """A transformation that a part wraps, by the positions of both."""

    part: int
    index: int

    def __call__(self, tx: GradientTransformation, step: Leaf) -> GradientTransformation:
        return _wrapped_by(_parts(place_of(tx), step)[self.part].tx)[self.index]


def with_each_scope(scope: Scope, visit: Callable[[Scope], State]) -> State:
    """The state of a scope after ``visit`` has replaced the state of each scope, inner ones first.

    Raises:
        ValueError: if a wrapper does not hold exactly one state for each transformation that it
            wraps.
    """
    entries = dict(scope.state)
    for position, place in enumerate(scope.parts):
        wrapped = _wrapped_by(place.tx)
        own = {name: entries[name] for name in place.entries.values()}
        values, treedef = jax.tree.flatten(own, is_leaf=is_state)
        if len(wrapped) != sum(map(is_state, values)):
            raise ValueError(f"the states within {place.tx!r} cannot be told apart")
        inner = iter(_scopes_within(scope, position, [x for x in values if is_state(x)]))
        values = [
            with_each_scope(next(inner), visit) if is_state(value) else value for value in values
        ]
        entries |= treedef.unflatten(values)
    return visit(scope.with_state(State(entries)))


def _scopes_within(scope: Scope, position: int, states: list[State]) -> list[Scope]:
    """The scopes of the transformations that a part wraps, with the given states."""
    wrapper = scope.parts[position].tx
    count = _count_within(wrapper, scope.count)
    made = []
    for index, state in enumerate(states):
        followed = settled(Following(scope.followed, _Inner(position, index)))
        if wrapper.factory.name in LEAVE_OUT_STEPS and follow_schedules(followed):
            raise ValueError(
                f"{in_force(followed, 0)!r} has decays that follow a schedule outside of "
                f"{wrapper.factory.name}, which does not tell its steps"
            )
        made.append(Scope(followed, state, scope.params, count))
    return made


def _count_within(wrapper: GradientTransformation, count: int | None) -> int | None:
    """The number of updates of a wrapped transformation that is run less often than its wrapper."""
    if count is None or wrapper.factory.name != "accumulate":
        return count
    return count // period_of(wrapper)


def calls_for(tx: GradientTransformation, updates: int) -> int:
    """The number of calls of ``tx`` after which the wrapped one has made ``updates`` updates."""
    found = accumulation_in(tx)
    return updates if found is None else updates * period_of(found)


def period_of(wrapper: GradientTransformation) -> int:
    """The number of gradients that a wrapper accumulates for each update.

    Raises:
        ValueError: if it follows a schedule.
    """
    if is_schedule(wrapper.steps):
        raise ValueError(
            f"steps={wrapper.steps!r} of accumulate follows a schedule, and its updates cannot be "
            "counted from its calls: go on with a number"
        )
    return int(wrapper.steps)


def accumulation_in(tx: GradientTransformation) -> GradientTransformation | None:
    """The first wrapper within ``tx`` that accumulates gradients."""

    def is_one(node):
        return isinstance(node, GradientTransformation) and node.factory.name == "accumulate"

    return next(filter(is_one, jax.tree.leaves(tx, is_leaf=is_one)), None)


def _wrapped_by(tx: GradientTransformation) -> list[GradientTransformation]:
    if is_wiring(tx):
        return []
    is_one = lambda node: isinstance(node, GradientTransformation)  # noqa: E731
    return [node for node in jax.tree.leaves(tx.children, is_leaf=is_one) if is_one(node)]

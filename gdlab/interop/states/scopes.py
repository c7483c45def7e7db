"""The states within a state: one for each transformation that a wrapper wraps."""

import dataclasses
import functools
from collections.abc import Callable

import jax

from gdlab.core.parametrized import at_step
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Params, Tree, flatten, flatten_up_to, leaves_with_paths
from gdlab.core.transformation import GradientTransformation, is_wiring
from gdlab.interop.states.places import Place, opened, place_of
from gdlab.interop.states.step_entries import entries_after

BEGIN_ANEW = (
    "accumulate",
    "apply_if_finite",
    "monitor",
    "params_ema",
    "scale_by_backtracking_linesearch",
    "scale_by_zoom_linesearch",
    "skip_outliers",
)
"""Parts whose entries begin anew where another library has no such thing."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """A transformation whose parts share one state, and that state."""

    tx: GradientTransformation
    state: State
    params: Params
    """The parameters of the whole optimizer; the state has None for those that it leaves out."""
    count: int | None
    """The number of updates behind the state, where that is known."""

    @functools.cached_property
    def parts(self) -> list[Place]:
        """The parts of the composition, in order, with their entries."""
        return _parts(place_of(self.tx))

    @functools.cached_property
    def entries(self) -> dict[str, str]:
        """The entry of each role, such as ``mu``, whatever the entry is called in the state.

        An average is called ``nu`` if it is one of squares, and ``mu`` otherwise. What a wrapper
        keeps has its name in front, as in ``accumulate.mean``. What the number of updates
        determines is not among them.

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

    def leaves(self, entry: str) -> list[tuple[str, Leaf]]:
        """The path of each parameter, and what the entry keeps for it: None if it is left out."""
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
    """Tell whether an entry is an average of the parameters with something beside it."""
    return hasattr(value, "average")


def _parts(place: Place) -> list[Place]:
    # A schedule is evaluated by the method that has it, and its parts have numbers.
    inner = opened(place._replace(tx=at_step(place.tx, 0)))
    return [part for below in inner for part in _parts(below)] if inner else [place]


def with_each_scope(scope: Scope, visit: Callable[[Scope], State]) -> State:
    """The state of a scope in which ``visit`` has renewed that of each scope, inner ones first.

    Raises:
        ValueError: if a wrapper keeps other states than one for each transformation it wraps.
    """
    entries = dict(scope.state)
    for place in scope.parts:
        wrapped = [] if is_wiring(place.tx) else _transformations(place.tx)
        own = {name: entries[name] for name in place.entries.values()}
        values, treedef = jax.tree.flatten(own, is_leaf=is_state)
        if len(wrapped) != sum(map(is_state, values)):
            raise ValueError(f"the states within {place.tx!r} cannot be told apart")
        count, inner = _count_within(place.tx, scope.count), iter(wrapped)
        values = [
            with_each_scope(Scope(next(inner), value, scope.params, count), visit)
            if is_state(value)
            else value
            for value in values
        ]
        entries |= treedef.unflatten(values)
    return visit(scope.with_state(State(entries)))


def _count_within(wrapper: GradientTransformation, count: int | None) -> int | None:
    """The number of updates of what a wrapper wraps, if it is run less often than the wrapper."""
    if count is None or wrapper.factory.name != "accumulate":
        return count
    return count // int(wrapper.steps)


def calls_for(tx: GradientTransformation, updates: int) -> int:
    """The number of calls of ``tx`` after which what it wraps has made so many updates."""
    found = accumulation_in(tx)
    return updates if found is None else updates * int(found.steps)


def accumulation_in(tx: GradientTransformation) -> GradientTransformation | None:
    """The first wrapper within ``tx`` that accumulates gradients."""

    def is_one(node):
        return isinstance(node, GradientTransformation) and node.factory.name == "accumulate"

    return next(filter(is_one, jax.tree.leaves(tx, is_leaf=is_one)), None)


def is_state(node: object) -> bool:
    """Tell whether a node is a state."""
    return isinstance(node, State)


def _transformations(tx: GradientTransformation) -> list[GradientTransformation]:
    is_one = lambda node: isinstance(node, GradientTransformation)  # noqa: E731
    return [node for node in jax.tree.leaves(tx.children, is_leaf=is_one) if is_one(node)]

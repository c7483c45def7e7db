"""The conversion of another library's state to gdlab's."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.numerics import common_dtype
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Params, Value
from gdlab.core.transformation import COUNT, GradientTransformation
from gdlab.interop.states.by_parameter.pairs import Pair, Parameter, Shared
from gdlab.interop.states.by_parameter.records import (
    Kept,
    Method,
    Record,
    candidates,
    kept_entries,
    kept_paths,
    listed,
    parameter_of,
    require_known,
    require_named,
)
from gdlab.interop.states.by_parameter.scopes import Scope, with_each_scope
from gdlab.interop.states.step_entries import entries_after


def entered(
    record: Record,
    methods: Sequence[Method],
    tx: GradientTransformation,
    params: Params,
    count: int | None,
    beside: Sequence[Method] = (),
) -> State:
    """The state of ``tx`` with the arrays of a record.

    Args:
        record: the state of the other library.
        methods: the methods that both libraries have.
        tx: the transformation that continues.
        params: the parameters.
        count: the number of calls of its ``update`` so far, if the record does not determine it.
        beside: the entries of wrappers and averages around a method that the other library may
            have.

    Raises:
        ValueError: if an array of one library has no counterpart in the other.
    """
    used: set[tuple[str, str]] = set()
    others = {name for method in beside for pair in method.pairs for name in pair.theirs}

    def visit(scope: Scope) -> State:
        entering = _Entering(record, scope, used, others)
        state = entering.state(methods)
        for method in beside:
            state = entering._replace(scope=scope.with_state(state)).with_wrapper_entries(method)
        return state

    state = with_each_scope(Scope(tx, tx.init(params), params, count), visit)
    for path, kept in record.kept.items():
        left = [name for name in kept.arrays if (path, name) not in used]
        if left:
            raise ValueError(
                f"{record.library} keeps {listed(left)} for {path!r}, for which there is no "
                f"place in {tx!r}"
            )
    return state


class _Entering(NamedTuple):
    """The conversion of a record to the state of one scope."""

    record: Record
    scope: Scope
    used: set[tuple[str, str]]
    """The path and the name of each array that has been used."""
    others: set[str]
    """The names of the arrays that the other library stores besides those of a method."""

    def state(self, methods: Sequence[Method]) -> State:
        scope, entries = self.scope, kept_entries(self.scope)
        require_known(self.record, scope, entries, methods)
        paths = kept_paths(scope, entries.values())
        if entries and not paths and scope.count is None:  # a group without parameters
            return scope.state
        is_recorded = any(path in self.record.kept for path in paths)
        scope = scope.with_state(scope.state.replace(**self._determined(paths, is_recorded)))
        if not is_recorded:
            require_named(self.record, scope, paths)
            return scope.state
        method, pairs = self._method(methods, entries, paths)
        return self._replace(scope=scope)._filled(method, pairs, entries)

    def with_wrapper_entries(self, method: Method) -> State:
        """The state with the entries of a wrapper, if the other library has such a wrapper."""
        entries, kept = self.scope.entries, self.record.kept.values()
        pairs = [pair for pair in method.pairs if isinstance(pair, Pair)]
        recorded = {name for one in kept for name in one.arrays}
        is_there = all(recorded.issuperset(pair.theirs) for pair in pairs)
        is_there = is_there and all(role in entries for role in method.roles())
        return self._filled(method, pairs, entries) if is_there else self.scope.state

    def _determined(self, paths: list[str], is_recorded: bool) -> dict[str, Value]:
        """The entries that the number of updates determines."""
        scope, state = self.scope, self.scope.state
        names = entries_after(scope.tx, 0)
        # The dtype is that of the scope's parameters, which may be none.
        dtype = common_dtype(jax.tree.leaves([state[name] for name in names]))
        start = entries_after(scope.tx, 0, dtype)
        if paths and not is_recorded:
            # Averages have seen no gradient yet, though schedules may have advanced.
            return start | self._counted(scope.count or 0)
        count = self._steps(paths) if paths and start else None
        count = scope.count if count is None else count
        if start and count is None:
            raise ValueError(
                f"the state of {scope.tx!r} depends on the number of updates, which "
                f"{self.record.library} does not keep here: give it by count="
            )
        return entries_after(scope.followed, count or 0, dtype)

    def _counted(self, count: int) -> dict[str, Value]:
        like = self.scope.state
        return {COUNT: jnp.asarray(count, like[COUNT].dtype)} if COUNT in like else {}

    def _steps(self, paths: list[str]) -> int | None:
        """The number of updates that all these parameters have had, or None if it is not stored."""
        nothing, made = Kept({}, 0), {}
        for path in paths:
            steps = self.record.kept.get(path, nothing).steps
            if steps is None:
                return None
            made[path] = steps
        least, most = (choose(made, key=lambda path: made[path]) for choose in (min, max))
        if made[least] != made[most]:
            raise ValueError(
                f"{least!r} has made {made[least]} updates in {self.record.library} and {most!r} "
                f"{made[most]}, but in {self.scope.tx!r} all parameters share one count; put them "
                "into groups of their own by partition, and leave out by selective_transform what "
                "is frozen"
            )
        return made[most]

    def _method(
        self, methods: Sequence[Method], entries: Mapping[str, str], paths: list[str]
    ) -> tuple[Method, list[Pair]]:
        """The method with the entries of the scope whose arrays are in the record."""
        require_named(self.record, self.scope, paths)
        there = [set(self.record.kept[path].arrays) for path in paths if path in self.record.kept]
        recorded = set().union(*there) - self.others
        for method, pairs in candidates(methods, self.record, self.scope, entries, paths):
            needed = {name for pair in pairs if not pair.some for name in pair.theirs}
            known = {name for pair in (*pairs, *method.pairs) for name in pair.theirs}
            if needed <= recorded <= known:
                return method, pairs
        raise ValueError(self._no_method(methods, entries, recorded))

    def _no_method(
        self, methods: Sequence[Method], entries: Mapping[str, str], recorded: set[str]
    ) -> str:
        library = self.record.library
        fitting = [
            method
            for method in methods
            if recorded and recorded <= {name for pair in method.pairs for name in pair.theirs}
        ]
        would_be = [f"{listed(m.names)} ({listed(sorted(m.roles()))})" for m in fitting]
        hint = f"; what {library} keeps is of {' or '.join(would_be)}" if would_be else ""
        return (
            f"{self.scope.tx!r} keeps {listed(entries.values())} where {library} keeps "
            f"{listed(sorted(recorded))}, and no method that both have does so{hint}"
        )

    def _filled(self, method: Method, pairs: list[Pair], entries: Mapping[str, str]) -> State:
        scope, filled = self.scope, {}
        for pair in pairs:
            own = [entries[role] for role in pair.ours]
            rows = zip(*[scope.leaves(entry) for entry in own], strict=True)
            columns = zip(*[self._entered(pair, row) for row in rows], strict=True)
            filled |= {
                entry: scope.with_leaves(entry, list(column))
                for entry, column in zip(own, columns, strict=True)
            }
        scope = scope.with_state(scope.state.replace(**filled))
        paths = kept_paths(scope, [entries[role] for pair in pairs for role in pair.ours])
        shared = {
            entry: self._replace(scope=scope)._shared(one, entry, paths)
            for entry, one in method.shared(scope)
        }
        return scope.state.replace(**shared)

    def _entered(self, pair: Pair, row: tuple[tuple[str, Leaf], ...]) -> tuple[Leaf, ...]:
        path, kept = row[0][0], tuple(leaf for _, leaf in row)
        if kept[0] is None or path not in self.record.kept:
            return kept
        theirs = self._taken(path, pair.theirs, pair.some)
        values = pair.enter(self._parameter(path, kept), *theirs)
        return tuple(map(self._fitting, [path] * len(kept), pair.ours, values, kept))

    def _taken(self, path: str, names: tuple[str, ...], some: bool) -> list[np.ndarray | None]:
        arrays = self.record.kept[path].arrays
        missing = [name for name in names if name not in arrays]
        if missing and not some:
            raise ValueError(f"{self.record.library} keeps no {listed(missing)} for {path!r}")
        self.used.update((path, name) for name in names)
        return [arrays.get(name) for name in names]

    def _fitting(self, path: str, entry: str, value: Leaf, like: Leaf) -> Leaf:
        if isinstance(like, tuple):
            return like
        if np.shape(value) != like.shape:
            raise ValueError(
                f"what {self.record.library} keeps for {path!r} has the shape {np.shape(value)} "
                f"where the entry {entry!r} has {like.shape}; layout says how axes are permuted, "
                'as in layout=[("kernel", "linear")]'
            )
        return jnp.asarray(value, like.dtype)

    def _shared(self, shared: Shared, entry: str, paths: list[str]) -> Value:
        """The value of a shared entry, from the numbers of all parameters, which must agree."""
        value, kept = self.scope.state[entry], self.record.kept
        there = [p for p in paths if p in kept and set(shared.theirs) <= set(kept[p].arrays)]
        if not there:
            return value
        numbers = [self._taken(path, shared.theirs, False) for path in there]
        for path, other in zip(there, numbers, strict=True):
            if not _equal(other, numbers[0]):
                raise ValueError(
                    f"{listed(shared.theirs)} of {path!r} and {there[0]!r} differ in "
                    f"{self.record.library}, where {self.scope.tx!r} keeps one for all"
                )
        entered = shared.enter(self._parameter(there[0], ()), value, *numbers[0])
        return jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), entered, value)

    def _parameter(self, path: str, kept: tuple[Leaf, ...]) -> Parameter:
        return parameter_of(self.record, self.scope, path, kept)


def _equal(some: Sequence[np.ndarray | None], others: Sequence[np.ndarray | None]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))  # type: ignore[arg-type]

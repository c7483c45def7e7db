"""The conversion of gdlab's state to that of another library."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from gdlab.core.state import State
from gdlab.core.structure import Params
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.states.by_parameter.pairs import Pair, Shared
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
from gdlab.interop.states.by_parameter.scopes import Scope, calls_for, with_each_scope
from gdlab.interop.states.step_entries import count_of


def left(
    record: Record,
    methods: Sequence[Method],
    state: State,
    tx: GradientTransformation,
    params: Params,
    count: int | None,
    beside: Sequence[Method] = (),
) -> Record:
    """A record with the arrays of a state of ``tx``.

    Args:
        record: an empty record.
        methods: the methods that the other library's optimizer may be.
        state: a state of ``tx``.
        tx: a transformation.
        params: the parameters.
        count: the number of updates so far, if the state does not determine it.
        beside: the entries of wrappers and averages around a method that the other library may
            have.

    Raises:
        ValueError: if an entry of the state has no counterpart in the other library.
    """

    def visit(scope: Scope) -> State:
        leaving = _Leaving(record, scope)
        for path, kept in [*leaving.of_method(methods), *leaving.of_wrappers(beside)]:
            known = record.kept.get(path, Kept({}))
            steps = known.steps if kept.steps is None else kept.steps
            record.kept[path] = Kept(known.arrays | kept.arrays, steps)
        return scope.state

    calls = None if count is None else calls_for(tx, count)
    with_each_scope(Scope(tx, state, params, calls), visit)
    return record


class _Leaving(NamedTuple):
    """The conversion of the state of one scope to a record."""

    record: Record
    scope: Scope

    def of_method(self, methods: Sequence[Method]) -> list[tuple[str, Kept]]:
        """The arrays that the other library stores for each parameter of the scope."""
        entries = kept_entries(self.scope)
        require_known(self.record, self.scope, entries, methods)
        if not kept_paths(self.scope, entries.values()):
            return []
        steps = self._count()
        method, pairs = self._method(methods, entries)
        arrays = self._arrays(method, pairs, entries)
        return [(path, Kept(named, steps)) for path, named in arrays.items()]

    def of_wrappers(self, beside: Sequence[Method]) -> list[tuple[str, Kept]]:
        """The arrays that the other library stores besides those of its method."""
        entries = self.scope.entries
        there = [method for method in beside if all(role in entries for role in method.roles())]
        found = [
            (path, Kept(named))
            for method in there
            for path, named in self._arrays(method, method.pairs, entries).items()
        ]
        is_filled = "accumulate.mean" in entries and self._micro_step() > 0
        if is_filled and not any("accumulate.mean" in method.roles() for method in there):
            raise ValueError(
                f"{self.scope.tx!r} has accumulated {self._micro_step()} gradients, for which "
                f"{self.record.library}'s optimizer has no place: go on to the next update first"
            )
        return found

    def _micro_step(self) -> int:
        return int(self.scope.state[self.scope.entries["accumulate.micro_step"]])

    def _arrays(
        self, method: Method, pairs: Sequence[Pair | Shared], entries: Mapping[str, str]
    ) -> dict[str, dict[str, np.ndarray]]:
        scope, arrays = self.scope, {}
        for pair in pairs:
            if isinstance(pair, Shared):
                continue
            columns = [scope.leaves(entries[role]) for role in pair.ours]
            for row in zip(*columns, strict=True):
                path, kept = row[0][0], tuple(leaf for _, leaf in row)
                if kept[0] is not None:
                    parameter = parameter_of(self.record, scope, path, kept)
                    theirs = pair.leave(parameter, *jax.tree.map(np.asarray, kept))
                    named = zip(pair.theirs, theirs, strict=True)
                    there = {name: array for name, array in named if array is not None}
                    arrays.setdefault(path, {}).update(there)
        require_named(self.record, scope, list(arrays))
        for path, named in arrays.items():
            for entry, shared in method.shared(scope):
                parameter = parameter_of(self.record, scope, path, ())
                theirs = map(np.asarray, shared.leave(parameter, scope.state[entry]))
                named.update(zip(shared.theirs, theirs, strict=True))
        return arrays

    def _count(self) -> int | None:
        known = count_of(self.scope.followed, self.scope.state)
        if None not in (known, self.scope.count) and known != self.scope.count:
            raise ValueError(
                f"count={self.scope.count}, but the state of {self.scope.tx!r} has made {known} "
                "updates"
            )
        return self.scope.count if known is None else known

    def _method(
        self, methods: Sequence[Method], entries: Mapping[str, str]
    ) -> tuple[Method, list[Pair]]:
        paths = kept_paths(self.scope, entries.values())
        for found in candidates(methods, self.record, self.scope, entries, paths):
            return found
        names = sorted({name for method in methods for name in method.names})
        raise ValueError(
            f"{self.scope.tx!r} keeps {listed(entries.values())}, for which "
            f"{self.record.library}'s {listed(names)} has no place"
        )

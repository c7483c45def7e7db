"""The state of another library's optimizer by parameter, and the way between it and gdlab's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.numerics import common_dtype
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Params, Value, leaves_with_paths
from gdlab.core.transformation import COUNT, GradientTransformation
from gdlab.interop.states.layouts import Axes, Layout, axes_by_path
from gdlab.interop.states.pairs import Pair, Parameter, Shared
from gdlab.interop.states.scopes import BEGIN_ANEW, Scope, calls_for, is_state, with_each_scope
from gdlab.interop.states.step_entries import count_of, entries_after

Names: TypeAlias = Sequence[str] | Mapping[str, str]
"""The paths of gdlab's parameters in the other library's order, or by the other library's names."""


OF_ALL = ("weights_memory",)
"""The roles of entries that are there once, and not for each parameter."""


class Method(NamedTuple):
    """A method that both have: the names of its optimizers there, and what corresponds."""

    names: tuple[str, ...]
    pairs: tuple[Pair | Shared, ...]
    part: str | None = None
    """The name of a part of gdlab's, where nothing else tells the method from another."""

    def pairs_of(self, roles: set[str]) -> list[Pair] | None:
        """The pairs of entries of these roles, or None if they are not those of the method."""
        pairs = [pair for pair in self.pairs if isinstance(pair, Pair)]
        there = [pair for pair in pairs if roles.issuperset(pair.ours)]
        is_whole = all(pair.is_optional or pair in there for pair in pairs)
        kept = {role for pair in there for role in pair.ours}
        return there if is_whole and roles == kept else None

    def roles(self) -> set[str]:
        """The roles of all entries that it may keep."""
        return {role for pair in self.pairs if isinstance(pair, Pair) for role in pair.ours}

    def shared(self, scope: Scope) -> list[tuple[str, Shared]]:
        """The shared entries that correspond to numbers of the other library."""
        found = []
        for shared in self.pairs:
            if isinstance(shared, Shared):
                own = scope.place_of(scope.entries[shared.role]).entries
                if shared.own in own and shared.applies_to(scope.state[own[shared.own]]):
                    found.append((own[shared.own], shared))
        return found


class Kept(NamedTuple):
    """What another library keeps for one parameter."""

    arrays: dict[str, np.ndarray]
    """Their name → array, with gdlab's order of the axes."""
    steps: int | None = None
    """The number of updates that it has made, where that is kept."""


class Record(NamedTuple):
    """What another library's optimizer keeps, by gdlab's path of each parameter."""

    library: str
    paths: Sequence[str]
    """The paths of the parameters that it trains."""
    axes: Mapping[str, Axes]
    settings: dict[str, Mapping[str, Value]]
    """Path → the hyperparameters of the other library, where they are known."""
    optimizers: dict[str, str]
    """Path → the name of the optimizer, where it is known."""
    kept: dict[str, Kept]

    def steps(self) -> int | None:
        """The number of updates, if it is known and the same for all parameters."""
        steps = {kept.steps for kept in self.kept.values()}
        return steps.pop() if len(steps) == 1 else None


def empty_record(library: str, paths: Sequence[str], layout: Layout, params: Params) -> Record:
    """A record in which nothing is kept yet.

    Raises:
        ValueError: if a path is none of ``params`` or there twice, or the layout does not fit.
    """
    shapes = shapes_by_path(params)
    require_paths(paths, shapes)
    return Record(library, paths, axes_by_path(layout, shapes), {}, {}, {})


def shapes_by_path(params: Params) -> dict[str, tuple[int, ...]]:
    """The shape of each parameter that there is."""
    return {path: np.shape(leaf) for path, leaf in leaves_with_paths(params) if leaf is not None}


def require_paths(paths: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse paths that are none of the parameters', or are there twice."""
    for path in paths:
        if path not in shapes:
            raise ValueError(f"names: {path!r} is no path of params, which has {list(shapes)}")
        if paths.count(path) > 1:
            raise ValueError(f"names: {path!r} is there {paths.count(path)} times")


def paths_of(names: Names) -> list[str]:
    """The paths of gdlab's parameters, in the other library's order."""
    return list(names.values() if isinstance(names, Mapping) else names)


# --- From the other library


def entered(
    record: Record,
    methods: Sequence[Method],
    tx: GradientTransformation,
    params: Params,
    count: int | None,
    beside: Sequence[Method] = (),
) -> State:
    """The state of ``tx`` that holds what a record holds.

    Args:
        record: what the other library keeps.
        methods: the methods that it and gdlab have.
        tx: the transformation that goes on.
        params: the parameters.
        count: the number of calls of its ``update`` so far, where the record does not tell it.
        beside: what wrappers and averages keep beside a method, if the other library has it.

    Raises:
        ValueError: if something in either of them has no counterpart in the other.
    """
    used: set[tuple[str, str]] = set()
    others = {name for method in beside for pair in method.pairs for name in pair.theirs}

    def visit(scope: Scope) -> State:
        entering = _Entering(record, scope, used, others)
        state = entering.state(methods)
        for method in beside:
            state = entering._replace(scope=scope.with_state(state)).beside(method)
        return state

    state = with_each_scope(Scope(tx, tx.init(params), params, count), visit)
    for path, kept in record.kept.items():
        left = [name for name in kept.arrays if (path, name) not in used]
        if left:
            raise ValueError(
                f"{record.library} keeps {_listed(left)} for {path!r}, for which there is no "
                f"place in {tx!r}"
            )
    return state


class _Entering(NamedTuple):
    """The way of a record into the state of one scope."""

    record: Record
    scope: Scope
    used: set[tuple[str, str]]
    """The path and the name of each array that has found its place."""
    others: set[str]
    """The names of what the other library keeps beside a method."""

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

    def beside(self, method: Method) -> State:
        """The state with what a wrapper keeps, where the other library has such a thing."""
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
        # The dtype is that of the scope's own parameters, of which there may be none.
        dtype = common_dtype(jax.tree.leaves([state[name] for name in names]))
        start = entries_after(scope.tx, 0, dtype)
        if paths and not is_recorded:
            # Averages have seen nothing yet, though schedules may have gone on.
            return start | self._counted(scope.count or 0)
        count = self._steps(paths) if paths and start else None
        count = scope.count if count is None else count
        if start and count is None:
            raise ValueError(
                f"the state of {scope.tx!r} depends on the number of updates, which "
                f"{self.record.library} does not keep here: give it by count="
            )
        return entries_after(scope.tx, count or 0, dtype)

    def _counted(self, count: int) -> dict[str, Value]:
        like = self.scope.state
        return {COUNT: jnp.asarray(count, like[COUNT].dtype)} if COUNT in like else {}

    def _steps(self, paths: list[str]) -> int | None:
        """The number of updates that all these parameters have made, None if it is not kept."""
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
        """The method whose entries are those of the scope, and whose arrays are recorded."""
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
        would_be = [f"{_listed(m.names)} ({_listed(sorted(m.roles()))})" for m in fitting]
        hint = f"; what {library} keeps is of {' or '.join(would_be)}" if would_be else ""
        return (
            f"{self.scope.tx!r} keeps {_listed(entries.values())} where {library} keeps "
            f"{_listed(sorted(recorded))}, and no method that both have does so{hint}"
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
            raise ValueError(f"{self.record.library} keeps no {_listed(missing)} for {path!r}")
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
        there = [p for p in paths if p in kept and shared.theirs[0] in kept[p].arrays]
        if not there:
            return value
        numbers = [self._taken(path, shared.theirs, False) for path in there]
        for path, other in zip(there, numbers, strict=True):
            if not _equal(other, numbers[0]):
                raise ValueError(
                    f"{_listed(shared.theirs)} of {path!r} and {there[0]!r} differ in "
                    f"{self.record.library}, where {self.scope.tx!r} keeps one for all"
                )
        entered = shared.enter(self._parameter(there[0], ()), value, *numbers[0])
        return jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), entered, value)

    def _parameter(self, path: str, kept: tuple[Leaf, ...]) -> Parameter:
        return parameter_of(self.record, self.scope, path, kept)


# --- To the other library


def left(
    record: Record,
    methods: Sequence[Method],
    state: State,
    tx: GradientTransformation,
    params: Params,
    count: int | None,
    beside: Sequence[Method] = (),
) -> Record:
    """A record of what the state of ``tx`` holds.

    Args:
        record: one in which nothing is kept yet.
        methods: the methods that the other library's optimizer may be.
        state: a state of ``tx``.
        tx: a transformation.
        params: the parameters.
        count: the number of updates so far, where the state does not tell it.
        beside: what wrappers and averages keep beside a method, if the other library has it.

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
    """The way of the state of one scope into a record."""

    record: Record
    scope: Scope

    def of_method(self, methods: Sequence[Method]) -> list[tuple[str, Kept]]:
        """What the other library keeps for each parameter of the scope."""
        entries = kept_entries(self.scope)
        require_known(self.record, self.scope, entries, methods)
        if not kept_paths(self.scope, entries.values()):
            return []
        steps = self._count()
        method, pairs = self._method(methods, entries)
        arrays = self._arrays(method, pairs, entries)
        return [(path, Kept(named, steps)) for path, named in arrays.items()]

    def of_wrappers(self, beside: Sequence[Method]) -> list[tuple[str, Kept]]:
        """What the other library keeps beside that."""
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
        known = count_of(self.scope.tx, self.scope.state)
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
            f"{self.scope.tx!r} keeps {_listed(entries.values())}, for which "
            f"{self.record.library}'s {_listed(names)} has no place"
        )


# --- What both ways share


def kept_entries(scope: Scope) -> dict[str, str]:
    """The entries, by role, that hold something for each parameter that other libraries keep."""
    has_states = lambda value: any(map(is_state, jax.tree.leaves(value, is_leaf=is_state)))  # noqa: E731
    return {
        role: entry
        for role, entry in scope.entries.items()
        if role.split(".")[0] not in BEGIN_ANEW
        and role not in OF_ALL
        and not has_states(scope.state[entry])
    }


def require_known(
    record: Record, scope: Scope, entries: Mapping[str, str], methods: Sequence[Method]
) -> None:
    """Refuse entries of which the other library has nothing in any method."""
    known = {role for method in methods for role in method.roles()}
    unknown = [entry for role, entry in entries.items() if role not in known]
    if unknown:
        raise ValueError(
            f"{scope.tx!r} keeps {_listed(unknown)}, and no optimizer of {record.library} does"
        )


def kept_paths(scope: Scope, entries: Iterable[str]) -> list[str]:
    """The parameters for which entries hold something."""
    first = next(iter(entries), None)
    leaves = [] if first is None else scope.leaves(first)
    return [path for path, leaf in leaves if leaf is not None]


def require_named(record: Record, scope: Scope, paths: Sequence[str]) -> None:
    """Refuse parameters for which a scope keeps something and the other library has no name."""
    for path in paths:
        if path not in record.paths:
            raise ValueError(
                f"names has no parameter of {record.library} for {path!r}, for which {scope.tx!r} "
                "keeps something"
            )


def candidates(
    methods: Sequence[Method],
    record: Record,
    scope: Scope,
    entries: Mapping[str, str],
    paths: Sequence[str],
) -> Iterator[tuple[Method, list[Pair]]]:
    """The methods that keep these entries, among those of the parameters' optimizers."""
    optimizers = {record.optimizers[path] for path in paths if path in record.optimizers}
    parts = {place.tx.factory.name for place in scope.parts}
    for method in methods:
        pairs = method.pairs_of(set(entries))
        is_named = optimizers.issubset(method.names)
        if pairs is not None and is_named and (not method.part or method.part in parts):
            yield method, pairs


def parameter_of(record: Record, scope: Scope, path: str, kept: tuple[Leaf, ...]) -> Parameter:
    """A parameter as a conversion sees it."""
    settings = record.settings.get(path, {})
    return Parameter(path, scope, kept, record.axes.get(path), settings)


def _equal(some: Sequence[np.ndarray | None], others: Sequence[np.ndarray | None]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))  # type: ignore[arg-type]


def _listed(names) -> str:
    return ", ".join(names) or "nothing"

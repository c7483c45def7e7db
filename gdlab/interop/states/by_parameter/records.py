"""The state of another library's optimizer by parameter, and the methods of both libraries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import jax
import numpy as np

from gdlab.core.state import is_state
from gdlab.core.structure import Leaf, Params, Value, leaves_with_paths
from gdlab.interop.states.by_parameter.layouts import Axes, Layout, axes_by_path
from gdlab.interop.states.by_parameter.pairs import Pair, Parameter, Shared
from gdlab.interop.states.by_parameter.scopes import BEGIN_ANEW, Scope

Names: TypeAlias = Sequence[str] | Mapping[str, str]
"""The paths of gdlab's parameters in the other library's order, or by the other library's names."""


OF_ALL = ("weights_memory", "weight_sum", "max_lr")
"""The roles of entries that exist once and not for each parameter."""


class Method(NamedTuple):
    """A method of both libraries: the other's names for it, and the corresponding entries."""

    names: tuple[str, ...]
    pairs: tuple[Pair | Shared, ...]
    part: str | None = None
    """The name of a part in gdlab, if nothing else distinguishes the method from another."""

    def pairs_of(self, roles: set[str]) -> list[Pair] | None:
        """The pairs of entries of these roles, or None if they are not those of the method."""
        pairs = [pair for pair in self.pairs if isinstance(pair, Pair)]
        there = [pair for pair in pairs if roles.issuperset(pair.ours)]
        is_whole = all(pair.is_optional or pair in there for pair in pairs)
        kept = {role for pair in there for role in pair.ours}
        return there if is_whole and roles == kept else None

    def roles(self) -> set[str]:
        """The roles of all entries that the method may have."""
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
    """The arrays that another library stores for one parameter."""

    arrays: dict[str, np.ndarray]
    """The name in the other library → the array, with gdlab's order of the axes."""
    steps: int | None = None
    """The number of updates that the parameter has had, if it is stored."""


class Record(NamedTuple):
    """The state of another library's optimizer, by gdlab's path of each parameter."""

    library: str
    paths: Sequence[str]
    """The paths of the parameters that the optimizer trains."""
    axes: Mapping[str, Axes]
    settings: dict[str, Mapping[str, Value]]
    """Path → the hyperparameters of the other library, if known."""
    optimizers: dict[str, str]
    """Path → the name of the optimizer, if known."""
    kept: dict[str, Kept]

    def steps(self) -> int | None:
        """The number of updates, if it is known and the same for all parameters."""
        steps = {kept.steps for kept in self.kept.values()}
        return steps.pop() if len(steps) == 1 else None


def empty_record(library: str, paths: Sequence[str], layout: Layout, params: Params) -> Record:
    """An empty record.

    Raises:
        ValueError: if a path is not in ``params`` or appears twice, or the layout does not fit.
    """
    shapes = shapes_by_path(params)
    require_paths(paths, shapes)
    return Record(library, paths, axes_by_path(layout, shapes), {}, {}, {})


def shapes_by_path(params: Params) -> dict[str, tuple[int, ...]]:
    """The shape of each parameter that is not None."""
    return {path: np.shape(leaf) for path, leaf in leaves_with_paths(params) if leaf is not None}


def require_paths(paths: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise if a path is not one of the parameters' or appears twice."""
    for path in paths:
        if path not in shapes:
            raise ValueError(f"names: {path!r} is no path of params, which has {list(shapes)}")
        if paths.count(path) > 1:
            raise ValueError(f"names: {path!r} is there {paths.count(path)} times")


def paths_of(names: Names) -> list[str]:
    """The paths of gdlab's parameters, in the other library's order."""
    return list(names.values() if isinstance(names, Mapping) else names)


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
    """Raise if an entry has no counterpart in any method of the other library."""
    known = {role for method in methods for role in method.roles()}
    unknown = [entry for role, entry in entries.items() if role not in known]
    if unknown:
        raise ValueError(
            f"{scope.tx!r} keeps {listed(unknown)}, and no optimizer of {record.library} does"
        )


def kept_paths(scope: Scope, entries: Iterable[str]) -> list[str]:
    """The parameters for which entries hold something."""
    first = next(iter(entries), None)
    leaves = [] if first is None else scope.leaves(first)
    return [path for path, leaf in leaves if leaf is not None]


def require_named(record: Record, scope: Scope, paths: Sequence[str]) -> None:
    """Raise if a scope has entries for a parameter without a name in the other library."""
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
    """The methods with these entries, among those of the parameters' optimizers."""
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


def listed(names: Iterable[str]) -> str:
    """Names as text for a message."""
    return ", ".join(names) or "nothing"

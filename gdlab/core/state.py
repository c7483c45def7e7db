"""The state of a transformation, a dictionary of named entries, and queries of states."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, Self, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked
from gdlab.core.forms import read_forms
from gdlab.core.numerics import is_array
from gdlab.core.rounding import is_narrow
from gdlab.core.structure import Params, Tree, Value, dotted

Part = TypeVar("Part")
LAYOUT: str = "2"
"""The version of the layout of states; version 1 was nested named tuples, one for each part."""


class State(dict[str, Tree]):
    """The state of a transformation: a dictionary of named entries.

    Its entries are also attributes. An entry with a slot for each parameter, such as ``mu`` and
    ``nu`` of Adam, is a tree like the parameters; an entry that all share, such as ``count``, is
    one or a few scalars. All links of a chain share one state, so ``state[1]``, the state of a link
    by position, returns the whole state.

    >>> import jax.numpy as jnp
    >>> from gdlab import sgd
    >>> state = sgd(0.1, momentum=0.9).init({"w": jnp.zeros(2)})
    >>> state
    State(trace={'w': Array([0., 0.], dtype=float32)})
    >>> state.trace["w"].shape
    (2,)
    """

    __slots__ = ()

    @classmethod
    def of(cls, names: Iterable[str], values: Iterable[Tree]) -> Self:
        """A state with these entries, in this order."""
        return cls(zip(names, values, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the entries."""
        return tuple(self)

    def __getattr__(self, name: str) -> Tree:
        if name in self:
            return self[name]
        found = {} if name.startswith("_") else self._within(name)
        if len(found) == 1:
            return next(iter(found.values()))
        several = f", and several of them have one: {', '.join(found)}" if found else ""
        raise AttributeError(f"the state has no entry {name!r}; it has {self.names}{several}")

    def _within(self, name: str) -> dict[str, Tree]:
        """The attribute of this name in each entry that is itself a state or a named tuple."""

        def has_it(value: Tree) -> bool:
            if isinstance(value, State):
                return hasattr(value, name)
            return name in getattr(value, "_fields", ())

        return {entry: getattr(value, name) for entry, value in self.items() if has_it(value)}

    def __missing__(self, name: object) -> Tree:
        if isinstance(name, int):
            # Scripts for optax read the state of a link in a chain by its position.
            return self
        raise KeyError(f"the state has no entry {name!r}; it has {self.names}")

    def replace(self, **entries: Tree) -> Self:
        """A copy with other values of some entries.

        Raises:
            AttributeError: if the state has no entry with one of these names.
        """
        for name in entries.keys() - self.keys():
            raise AttributeError(f"the state has no entry {name!r}; it has {self.names}")
        return type(self)(self | entries)

    _replace = replace  # the method of optax's named tuples

    def __repr__(self) -> str:
        return f"State({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def __reduce__(self) -> tuple[Value, ...]:
        return State, (dict(self),)


jax.tree_util.register_pytree_with_keys(
    State,
    lambda state: (
        [(jax.tree_util.GetAttrKey(name), value) for name, value in state.items()],
        state.names,
    ),
    State.of,
    lambda state: (tuple(state.values()), tuple(state)),
)


@functools.cache
def make_known_to_flax() -> None:
    """Register states with Flax's serialization, which looks up exact types."""
    from flax import serialization

    def to_state_dict(state: State) -> dict[str, Tree]:
        return {name: serialization.to_state_dict(value) for name, value in state.items()}

    def from_state_dict(state: State, stored: dict[str, Tree]) -> State:
        if set(stored) != set(state):
            raise ValueError(f"the stored state holds {sorted(stored)}, not {sorted(state)}")
        values = (serialization.from_state_dict(state[name], stored[name]) for name in state)
        return State.of(state, values)

    serialization.register_serialization_state(State, to_state_dict, from_state_dict)


@runtime_checkable
class EvaluatesElsewhere(Protocol):
    """A part of a state with parameters to evaluate in place of the trained ones."""

    def evaluation_params(self, params: Params) -> Params:
        """The parameters for evaluation, a tree like ``params``; None at leaves without any."""
        ...


@runtime_checkable
class KnowsNextGradient(Protocol):
    """A part of a state with the value and gradient at the parameters after the update.

    A line search has them, since it has evaluated the point at which it stopped.
    """

    def next_value_and_grad(self) -> tuple[jax.Array, Tree]:
        """The value and the gradient."""
        ...


@runtime_checkable
class CountsEvaluations(Protocol):
    """A part of a state whose rule evaluates the loss itself and counts the evaluations."""

    def evaluations_made(self) -> jax.Array:
        """The number of evaluations since the state was made."""
        ...


@runtime_checkable
class Stalls(Protocol):
    """A part of a state that records whether its rule can no longer find a step."""

    def has_stalled(self) -> jax.Array:
        """Tell whether the rule can no longer find a step."""
        ...


def is_state(node: object) -> bool:
    """Tell whether a node of a tree is a state."""
    return isinstance(node, State)


@runtime_checkable
class NeedsWideUpdates(Protocol):
    """A part of a state whose rule sets low-precision parameters to exact values.

    If the update were rounded to the dtype of the parameter, the sum would be another value.
    """

    def needs_wide_updates(self) -> bool:
        """Tell whether updates must not be rounded."""
        ...


def needs_wide_updates(state: Tree) -> bool:
    """Tell whether updates must not be rounded to the dtype of low-precision parameters."""
    return any(part.needs_wide_updates() for part in _parts(state, NeedsWideUpdates))


def refuse_narrow_within(wrapper: str, init: Callable[[Params], Tree], params: Params) -> None:
    """Raise if a method for low-precision parameters is inside a wrapper that would break it.

    Args:
        wrapper: the name of a wrapper that changes the updates of the wrapped method, or passes
            other arrays than the parameters to it.
        init: the ``init`` of the wrapped method.
        params: the parameters in the dtypes in which they are stored.

    Raises:
        ValueError: if the state from ``init`` belongs to such a method.
    """
    if not any(map(is_narrow, jax.tree.leaves(params))):
        return
    if needs_wide_updates(jax.eval_shape(init, params)):
        raise ValueError(
            f"{wrapper} changes the updates of what it wraps, or hands it other arrays than the "
            "parameters, so that parameters of low precision would not move as they should: put "
            f"stochastic_params, kahan_params, master_params or split_params around {wrapper}"
        )


def evaluations_made(state: Tree) -> jax.Array:
    """The total number of evaluations of the loss by all parts of a state."""
    found = _parts(state, CountsEvaluations)
    return sum((part.evaluations_made() for part in found), jnp.zeros((), jnp.int32))


def has_stalled(state: Tree) -> jax.Array:
    """Tell whether any part of a state can no longer find a step."""
    found = _parts(state, Stalls)
    return jnp.any(jnp.array([part.has_stalled() for part in found], bool))


def evaluation_params(state: Tree, params: Params) -> Params:
    """The parameters to evaluate: the averaged ones, if the state holds an average.

    The average is found at any depth of nesting: masked, accumulated, or within the state of
    another library.

    Args:
        state: the state of the whole optimizer.
        params: the parameters, whose structure and dtypes the result has. Leaves without an average
            are returned unchanged.

    Raises:
        TypeError: if ``params`` is a state, as when the arguments are in the wrong order.
        ValueError: if two parts of the state have different values for the same leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, evaluation_params, params_ema, sgd
    >>> tx = chain(sgd(1.0), params_ema(0.5))
    >>> params = jnp.array([4.0])
    >>> _, state = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> evaluation_params(state, params)
    Array([3.], dtype=float32)
    """
    if is_state(params):
        raise TypeError("params must be parameters, not a state; the order is (state, params)")
    found = _evaluators(read_forms(state))
    leaves, treedef = jax.tree.flatten(params)
    said = [False] * len(leaves)
    for node in found:
        try:
            better = treedef.flatten_up_to(node.evaluation_params(params))
        except ValueError as error:
            raise ValueError(f"params are not those that the state is of: {error}") from None
        for index, value in enumerate(better):
            if value is None or not is_array(leaves[index]):
                continue
            if said[index]:
                raise ValueError(
                    f"{len(found)} parts of the state average the parameters; evaluate the one "
                    "that is meant by its own evaluation_params(params)"
                )
            said[index] = True
            leaves[index] = jnp.asarray(value, jnp.result_type(leaves[index]))
    return treedef.unflatten(leaves)


def evaluates_elsewhere(state: Tree) -> bool:
    """Tell whether a state has parameters to evaluate in place of the trained ones."""
    return bool(_evaluators(state))


def _evaluators(state: Tree) -> list[EvaluatesElsewhere]:
    return _parts(state, EvaluatesElsewhere)


def _parts(state: Tree, protocol: type[Part]) -> list[Part]:
    """The parts of a state that implement a protocol."""
    says = lambda node: isinstance(node, protocol)  # noqa: E731
    return [node for node in jax.tree.leaves(state, is_leaf=says) if says(node)]


@checked
def find_slot(state: Tree, name: str) -> Tree:
    """The entry of this name in a state, at any depth in wrappers and groups.

    Args:
        state: the state of any transformation.
        name: the name of an entry, such as ``trace`` or ``nu``.

    Raises:
        KeyError: if no entry or several entries have this name; the message lists the paths.

    >>> import jax.numpy as jnp
    >>> from gdlab import accumulate, adam, find_slot
    >>> find_slot(accumulate(adam(0.1), 4).init(jnp.zeros(2)), "nu")
    Array([0., 0.], dtype=float32)
    """
    entries = dict(_entries(state, ""))
    found = [path for path in entries if path == name or path.endswith("." + name)]
    if len(found) == 1:
        return entries[found[0]]
    if found:
        raise KeyError(f"several entries of the state are called {name!r}: {', '.join(found)}")
    raise KeyError(f"no entry of the state is called {name!r}; there are {', '.join(entries)}")


def _entries(node: Tree, path: str) -> Iterator[tuple[str, Tree]]:
    if isinstance(node, State):
        for name, value in node.items():
            yield path + name, value
            yield from _entries(value, f"{path}{name}.")
        return
    is_state = lambda inner: isinstance(inner, State)  # noqa: E731
    pairs, _ = jax.tree_util.tree_flatten_with_path(node, is_leaf=is_state)
    for below, inner in pairs:
        if is_state(inner):
            yield from _entries(inner, f"{path}{dotted(below)}." if below else path)

"""Hyperparameters by name: what is in force now, and a copy with other values."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax

from gdlab.checks.checked import checked
from gdlab.core.axis import Axis, is_axis
from gdlab.core.hyperparameter import as_hyperparameter, constant_schedule
from gdlab.core.parametrized import Parametrized, at_step, has_schedules
from gdlab.core.schedule import Schedule
from gdlab.core.state import State, is_state
from gdlab.core.structure import Arguments, Leaf, Path, Value, dotted
from gdlab.core.transformation import (
    COUNT,
    GradientTransformation,
    composition_of,
    is_wiring,
    require_state_of,
)


@checked
def hyperparameters(
    tx: GradientTransformation, state: State | Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """The values in force now, by dotted path.

    Args:
        tx: a transformation.
        state: its state, from which the steps of its schedules are read; without it they stand
            at step 0.

    Returns:
        Path → value. A scheduled hyperparameter is there with its value in force, and the
        schedule's own numbers are there below it.

    Raises:
        ValueError: if ``state`` is not a state of ``tx``.

    >>> from gdlab import adam, hyperparameters, linear_schedule
    >>> hyperparameters(adam(1e-3))
    {'learning_rate': 0.001, 'b1': 0.9, 'b2': 0.999, 'eps': 1e-08}
    >>> list(hyperparameters(adam(linear_schedule(0.1, 0.0, 100))))[:3]
    ['learning_rate', 'learning_rate.init_value', 'learning_rate.end_value']
    """
    if state is not None:
        require_state_of(tx, state)
    steps = {} if state is None else _steps_of_schedules(tx, state)
    return dict(_in_force(tx, (), 0, steps))


@checked
def set_hyperparameters(tx: GradientTransformation, values: Arguments) -> GradientTransformation:
    """A copy of ``tx`` with other values for some hyperparameters.

    Args:
        tx: a transformation, left as it is.
        values: key → value, where a key is a dotted path or the end of one that fits one
            hyperparameter alone. A number given for a schedule becomes a constant schedule, so
            that the state still fits.

    Raises:
        KeyError: if a key fits no hyperparameter or several, with the candidates.
        TypeError: if a value is no hyperparameter, with its path.
        ValueError: if float32 cannot hold a number (float64 where JAX computes in 64 bits), with
            its path.

    >>> from gdlab import adam, chain, clip_by_global_norm, set_hyperparameters
    >>> tx = chain(clip_by_global_norm(1.0), adam(1e-3))
    >>> set_hyperparameters(tx, {"learning_rate": 3e-4, "chain.0.max_norm": 0.5})
    chain(clip_by_global_norm(0.5), adam(0.0003))
    """
    paths = list(hyperparameters(tx))
    chosen: dict[str, Value] = {}
    for key, value in values.items():
        path = only_match(key, paths)
        if path in chosen:
            raise KeyError(f"{key!r} sets {path!r}, which another key sets as well")
        chosen[path] = value

    def replaced(path: Path, old: Value) -> Value:
        name = dotted(path)
        if name in chosen:
            try:
                return _standing_for(old, chosen[name])
            except (TypeError, ValueError) as error:
                raise type(error)(f"set_hyperparameters: {name}: {error}") from None
        if isinstance(old, Schedule):
            return jax.tree_util.tree_map_with_path(
                lambda below, leaf: replaced((*path, *below), leaf),
                old,
                is_leaf=lambda node: node is not old and _is_one_value(node),
            )
        return old

    return jax.tree_util.tree_map_with_path(replaced, tx, is_leaf=_is_one_value)


def _standing_for(old: Value, value: Value) -> Value:
    value = as_hyperparameter(value)
    was_scheduled = isinstance(old, Schedule) and not isinstance(value, Schedule)
    return constant_schedule(value) if was_scheduled else value


def only_match(key: str, paths: list[str]) -> str:
    """The one path that a key is, or is the end of.

    Raises:
        KeyError: if it fits none or several.
    """
    matches = [key] if key in paths else [path for path in paths if path.endswith("." + key)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise KeyError(f"{key!r} fits several hyperparameters: {', '.join(matches)}")
    raise KeyError(f"{key!r} fits no hyperparameter; there are {', '.join(paths)}")


def _is_one_value(node: object) -> bool:
    return isinstance(node, Schedule | Axis)


def _in_force(
    node: Parametrized, path: Path, count: Leaf, steps: Mapping[int, Leaf]
) -> Iterator[tuple[str, Any]]:
    count = steps.get(id(node), count)
    pairs, _ = jax.tree_util.tree_flatten_with_path(
        node, is_leaf=lambda x: x is not node and isinstance(x, Parametrized | Axis)
    )
    for below, value in pairs:
        here = (*path, *below)
        if isinstance(value, Schedule):
            # On an axis it has many values, so it stands for itself.
            swept = any(is_axis(part) for part in jax.tree.leaves(value, is_leaf=is_axis))
            yield dotted(here), value if swept else value(count)
        if isinstance(value, Parametrized):
            yield from _in_force(value, here, count, steps)
        else:
            yield dotted(here), value


def _steps_of_schedules(
    tx: GradientTransformation, given: State | Mapping[str, Value] | None
) -> dict[int, Leaf]:
    """The step that each scheduled transformation within ``tx`` has reached, by identity."""
    if given is None:
        return {}
    # As optax's functions leave it, a state may be a plain dictionary.
    state = given if isinstance(given, State) else State(given)
    sharing, wrapped = _in_one_state(tx)
    inner = jax.tree.leaves(list(state.values()), is_leaf=is_state)
    states = [node for node in inner if is_state(node)]
    counted = any(map(has_schedules, sharing))
    if len(states) != len(wrapped) or (counted and COUNT not in state.names):
        raise ValueError(
            f"the state is not one of {tx!r}: it counts the steps of other schedules, or of none"
        )
    steps = {id(part): getattr(state, COUNT) for part in sharing} if COUNT in state.names else {}
    for part, own in zip(wrapped, states, strict=True):
        steps |= _steps_of_schedules(part, own)
    return steps


def _in_one_state(
    tx: GradientTransformation,
) -> tuple[list[GradientTransformation], list[GradientTransformation]]:
    """The transformations whose entries stand in one state, and those that wrappers wrap.

    What a wrapper wraps has a state of its own, within an entry of this one.
    """
    made = composition_of(at_step(tx, 0))
    if made is not None:
        sharing, wrapped = _in_one_state(made)
        return [tx, *sharing], wrapped
    parts = [part for part in jax.tree.leaves(tx.children, is_leaf=_is_part) if _is_part(part)]
    if not is_wiring(tx):
        return [tx], parts
    every = [_in_one_state(part) for part in parts]
    return (
        [tx, *(part for sharing, _ in every for part in sharing)],
        [part for _, wrapped in every for part in wrapped],
    )


def _is_part(node: object) -> bool:
    return isinstance(node, GradientTransformation)

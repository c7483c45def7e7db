"""Reading and replacing the hyperparameters of a transformation by name."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax

from gdlab.checks.checked import checked
from gdlab.checks.located import located
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
    """The current values of all hyperparameters, by dotted path.

    Args:
        tx: a transformation.
        state: its state, which holds the step at which schedules are evaluated; without a state,
            schedules are evaluated at step 0.

    Returns:
        Dotted path → value. A scheduled hyperparameter is listed with its current value, followed
        by the numbers of the schedule, whose paths begin with the path of the hyperparameter.

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
        tx: a transformation, which is not changed.
        values: key → value. A key is the dotted path of a hyperparameter, or the end of a path
            that no other path ends with. A number given in place of a schedule becomes a constant
            schedule, so that the state of ``tx`` still fits.

    Returns:
        The new transformation, of the same structure unless a value has another one.

    Raises:
        KeyError: if a key matches no hyperparameter, or several, which are then listed.
        TypeError: if a value cannot be a hyperparameter, naming its path.
        ValueError: if float32 (float64 where JAX computes in 64 bits) cannot hold a number, naming
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
                raise located(error, f"set_hyperparameters: {name}") from None
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
    """The only path that equals a key, or else the only path that ends with it.

    Raises:
        KeyError: if no path matches, or several do.
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
            # A schedule with an axis has many values at a step, so the schedule itself is listed.
            swept = any(is_axis(part) for part in jax.tree.leaves(value, is_leaf=is_axis))
            yield dotted(here), value if swept else value(count)
        if isinstance(value, Parametrized):
            yield from _in_force(value, here, count, steps)
        else:
            yield dotted(here), value


def _steps_of_schedules(
    tx: GradientTransformation, given: State | Mapping[str, Value] | None
) -> dict[int, Leaf]:
    """The current step of each transformation within ``tx``, by the transformation's ``id``."""
    if given is None:
        return {}
    # optax's functions on trees may turn a state into a plain dictionary.
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
    for part, inner_state in zip(wrapped, states, strict=True):
        steps |= _steps_of_schedules(part, inner_state)
    return steps


def _in_one_state(
    tx: GradientTransformation,
) -> tuple[list[GradientTransformation], list[GradientTransformation]]:
    """The transformations that share the state of ``tx``, and those that wrappers wrap.

    A wrapped transformation has a state of its own, inside an entry of the state of ``tx``.
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

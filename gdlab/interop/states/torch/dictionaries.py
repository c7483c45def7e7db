"""State dictionaries of torch's optimizers, nested or flat."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from gdlab.checks.values import shortened
from gdlab.core.structure import Value
from gdlab.interop.states.by_parameter.records import Names, paths_of

StateDict: TypeAlias = Mapping[str, Value]
"""``optimizer.state_dict()``, or a flat dictionary of it with keys such as ``state.0.exp_avg``."""
Key: TypeAlias = int | str
"""The number of a parameter in torch's order, or its name there."""
TELLING = {
    "history_size": "LBFGS",
    "ns_coefficients": "Muon",
    "beta2_decay": "Adafactor",
    "etas": "Rprop",
    "lambd": "ASGD",
    "rho": "Adadelta",
    "lr_decay": "Adagrad",
    "centered": "RMSprop",
    "dampening": "SGD",
    "momentum_decay": "NAdam",
    "amsgrad": "Adam",
    "decoupled_weight_decay": "RAdam",
    "capturable": "Adamax",
    "betas": "SparseAdam",
}
"""Hyperparameter → the optimizer of torch that has it; the first one present decides."""


class Parsed(NamedTuple):
    """A state dictionary in its parts."""

    states: Mapping[Key, Mapping[str, Value]]
    groups: list[dict[str, Value]]
    optimizer: str | None
    """The name of the class of the optimizer, if known."""
    is_flat: bool = False


def parsed(state_dict: StateDict) -> Parsed:
    """The parts of a state dictionary.

    Raises:
        TypeError: if the parts of a nested one are not dictionaries.
        ValueError: if a key of a flat one is not understood.
    """
    if "state" in state_dict or "param_groups" in state_dict:
        states, groups = state_dict.get("state", {}), state_dict.get("param_groups", ())
        if not isinstance(groups, list | tuple) or not all(map(_is_dictionary, groups)):
            raise TypeError(
                "state_dict: 'param_groups' must be a list of dictionaries, not "
                f"{shortened(groups)}"
            )
        if not isinstance(states, Mapping) or not all(map(_is_dictionary, states.values())):
            raise TypeError(
                f"state_dict: 'state' must be a dictionary of dictionaries, not {shortened(states)}"
            )
        groups = [dict(group) for group in groups]
        return Parsed(dict(states), groups, optimizer_with(groups))
    states: dict[Key, dict[str, Value]] = {}
    numbered: dict[int, dict[str, Value]] = {}
    for key, value in state_dict.items():
        kind, _, rest = key.partition(".")
        index, _, name = rest.rpartition(".")
        if kind == "state" and index:
            states.setdefault(int(index) if index.isdigit() else index, {})[name] = value
        elif kind == "param_groups" and index.isdigit():
            numbered.setdefault(int(index), {})[name] = value
        else:
            raise ValueError(
                f"state_dict: {key!r} is no entry of an optimizer; there are keys such as "
                "'state.0.exp_avg', or 'state' and 'param_groups'"
            )
    groups = [numbered[index] for index in sorted(numbered)]
    return Parsed(states, groups, optimizer_with(groups), is_flat=True)


def _is_dictionary(value: Any) -> bool:
    return isinstance(value, Mapping)


def optimizer_with(groups: list[dict[str, Value]]) -> str | None:
    """The optimizer with these groups, or None if their settings are missing."""
    there = {name for group in groups for name in group}
    return next((name for setting, name in TELLING.items() if setting in there), None)


def settings_by_key(parsed: Parsed) -> dict[Key, Mapping[str, Value]]:
    """The hyperparameters of each parameter."""
    return {
        key: {name: value for name, value in group.items() if not name.startswith("param")}
        for group in parsed.groups
        for key in _keys(group)
    }


def _keys(group: Mapping[str, Value]) -> list[Key]:
    return np.ravel(group.get("params", ())).tolist()


def paths_by_key(parsed: Parsed, names: Names) -> dict[Key, str]:
    """The path of each parameter, by the key under which torch keeps its state."""
    paths = paths_of(names)
    keys = [key for group in parsed.groups for key in _keys(group)]
    own_names = [name for group in parsed.groups for name in group.get("param_names", ())]
    if keys and len(keys) != len(paths):
        raise ValueError(
            f"names has {len(paths)} parameters, but torch's optimizer {len(keys)}: name those "
            "that it was made of, in their order"
        )
    if isinstance(names, Mapping):
        unknown = [name for name in own_names if name not in names]
        if unknown:
            raise ValueError(f"names: {unknown[0]!r} of torch's optimizer is missing")
        paths = [names[name] for name in own_names] or paths
    return dict(zip(keys or range(len(paths)), paths, strict=True))

"""Checks of arguments that pictures of several runs or series share."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gdlab.training.trajectory import Trajectory


def runs_by_name(argument: str, given: Any) -> Mapping[str, Any]:
    """Runs by their names; a single run has the empty name.

    Args:
        argument: the name of the argument, for the message.
        given: the value of the argument.

    Raises:
        ValueError: if there are several runs without names.
    """
    if isinstance(given, Mapping):
        return given
    if isinstance(given, list | tuple) and any(isinstance(each, Trajectory) for each in given):
        raise ValueError(
            f"{argument} must be one run or a dictionary, name → run, not a {type(given).__name__} "
            "of runs"
        )
    return {"": given}


def require_named(argument: str, given: Any, what: str) -> None:
    """Refuse an argument that is not a dictionary by names.

    Args:
        argument: the name of the argument, for the message.
        given: the value of the argument.
        what: the noun for the values, used in the message.

    Raises:
        TypeError: if a name is no text.
        ValueError: if the argument is no dictionary, or an empty one.
    """
    if not isinstance(given, Mapping) or not given:
        came = "an empty one" if isinstance(given, Mapping) else f"a {type(given).__name__}"
        raise ValueError(
            f"{argument} must be a dictionary, name → {what}, of one at least, not {came}"
        )
    if other := [name for name in given if not isinstance(name, str)]:
        raise TypeError(f"{argument}: the name of each {what} must be a text, not {other[0]!r}")


def require_same_length(argument: str, given: np.ndarray, other: str, like: np.ndarray) -> None:
    """Refuse a series that differs in length from another one.

    Args:
        argument: the name of the argument, for the message.
        given: the value of the argument.
        other: the name of the other series.
        like: the other series.

    Raises:
        ValueError: if the lengths differ.
    """
    if len(given) != len(like):
        raise ValueError(
            f"{argument} must have a value for each of the {len(like)} of {other}, not {len(given)}"
        )

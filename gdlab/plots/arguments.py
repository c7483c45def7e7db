"""The arguments of pictures of several things."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gdlab.training.trajectory import Trajectory


def runs_by_name(argument: str, given: Any) -> Mapping[str, Any]:
    """Runs by their names; one that is alone has none.

    Args:
        argument: its name.
        given: what came for it.

    Raises:
        ValueError: if there are several without names.
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
    """Refuse what is no dictionary of names.

    Args:
        argument: its name.
        given: what came for it.
        what: what the names are of.

    Raises:
        ValueError: if it is none, or empty.
    """
    if not isinstance(given, Mapping) or not given:
        came = "an empty one" if isinstance(given, Mapping) else f"a {type(given).__name__}"
        raise ValueError(
            f"{argument} must be a dictionary, name → {what}, of one at least, not {came}"
        )


def require_same_length(argument: str, given: np.ndarray, other: str, like: np.ndarray) -> None:
    """Refuse a series that does not have a value for each one of another.

    Args:
        argument: its name.
        given: what came for it.
        other: the name of the other one.
        like: the other one.

    Raises:
        ValueError: if it is longer or shorter.
    """
    if len(given) != len(like):
        raise ValueError(
            f"{argument} must have a value for each of the {len(like)} of {other}, not {len(given)}"
        )

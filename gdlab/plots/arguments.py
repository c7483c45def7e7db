"""The arguments of pictures of several things."""

from collections.abc import Mapping
from typing import Any

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

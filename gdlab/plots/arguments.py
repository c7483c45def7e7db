"""What pictures of several things are given."""

from collections.abc import Mapping
from typing import Any


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

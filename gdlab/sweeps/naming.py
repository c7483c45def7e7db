"""Names for what users' functions return."""

from collections.abc import Mapping
from typing import Any

import jax


def named(values: Any, name: str) -> dict[str, Any]:
    """A dictionary of values, or one of a single value under ``name``."""
    if values is None:
        return {}
    return dict(values) if isinstance(values, Mapping) else {name: values}


def named_arrays(values: Any, name: str, what: str) -> dict[str, Any]:
    """The same of arrays alone.

    Args:
        values: what a function returned.
        name: what a single value is called.
        what: what they are called in a message.

    Raises:
        TypeError: if one of the values is no array.
    """
    by_name = named(values, name)
    for key, value in by_name.items():
        if not jax.tree_util.all_leaves([value]):
            raise TypeError(
                f"in a sweep {what} must be an array or a dictionary of arrays, but {key!r} "
                f"is of the type {type(value).__name__}"
            )
    return by_name

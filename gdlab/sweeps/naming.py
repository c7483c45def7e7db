"""Names for what users' functions return."""

from collections.abc import Mapping
from typing import Any


def named(values: Any, name: str) -> dict[str, Any]:
    """A dictionary of values, or one of a single value under ``name``."""
    if values is None:
        return {}
    return dict(values) if isinstance(values, Mapping) else {name: values}

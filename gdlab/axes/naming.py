"""The names of values that users' functions return, and names that results reserve."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

FIELDS = ("loss", "final_loss", "status", "stopped_at", "evaluations")
"""The names of a result's own arrays over its lanes."""
EVALUATION_STEP = "evaluation_step"
"""The dimension of metrics that are evaluated during training."""
DIMENSIONS = ("optimizer", "problem", "seed", "step", EVALUATION_STEP, "rung", "sample")
"""The reserved names of dimensions that a sweep itself makes."""


def named(values: Any, name: str) -> dict[str, Any]:
    """The values as a dictionary; a single value gets the name ``name``."""
    if values is None:
        return {}
    return dict(values) if isinstance(values, Mapping) else {name: values}


def named_scalars(values: Any, name: str, what: str, leading: int) -> dict[str, Any]:
    """The values as a dictionary of scalars per lane, as results hold them.

    Args:
        values: the return values of a function in all lanes.
        name: the name of a single value.
        what: the noun for the values in messages.
        leading: the number of leading dimensions of lanes.

    Raises:
        TypeError: if a value is not a number per lane, or its name is not a text.
    """
    by_name = named(values, name)
    for key, value in by_name.items():
        if not isinstance(key, str):
            raise TypeError(f"the names of {what} must be texts, but there is {key!r}")
        if not jax.tree_util.all_leaves([value]):
            kind = f"of the type {type(value).__name__}"
        elif value.shape[leading:]:
            kind = f"of shape {value.shape[leading:]}"
        elif not (jnp.issubdtype(value.dtype, jnp.number) or value.dtype == bool):
            kind = f"of the dtype {value.dtype}"
        else:
            continue
        raise TypeError(
            f"in a sweep {what} must be a scalar or a dictionary of scalars, but {key!r} is {kind}"
        )
    return by_name


def require_own_names(names: Iterable[str], taken: Iterable[str], what: str) -> None:
    """Refuse names that a result uses otherwise.

    Raises:
        ValueError: naming the first such name.
    """
    for name in names:
        if name in taken:
            raise ValueError(
                f"{what} is named {name!r}, which is the name of an axis, of a dimension or of "
                "something that every result has: call it something else"
            )

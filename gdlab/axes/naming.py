"""Names for what users' functions return, none of which means something else in a result."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

FIELDS = ("loss", "final_loss", "status", "stopped_at", "evaluations")
"""The names of a result's own arrays over its lanes."""
EVALUATION_STEP = "evaluation_step"
"""The dimension of metrics that are evaluated on the way."""
DIMENSIONS = ("optimizer", "problem", "seed", "step", EVALUATION_STEP, "rung", "sample")
"""The names of the dimensions that a sweep makes itself."""


def named(values: Any, name: str) -> dict[str, Any]:
    """A dictionary of values, or one of a single value under ``name``."""
    if values is None:
        return {}
    return dict(values) if isinstance(values, Mapping) else {name: values}


def named_scalars(values: Any, name: str, what: str, leading: int) -> dict[str, Any]:
    """The same of scalars alone, which is all that a result holds of each lane.

    Args:
        values: what a function returned, in all lanes.
        name: what a single value is called.
        what: what they are called in a message.
        leading: the number of dimensions that the lanes have in front.

    Raises:
        TypeError: if one of the values is no number, or its name no text.
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
    """Refuse names that mean something else in the result.

    Raises:
        ValueError: naming the first.
    """
    for name in names:
        if name in taken:
            raise ValueError(
                f"{what} is named {name!r}, which is the name of an axis, of a dimension or of "
                "something that every result has: call it something else"
            )

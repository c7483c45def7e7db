"""The starting point of runs in a plane."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def start_in_plane(problem: Callable[..., Any], start: Any) -> jax.Array:
    """Return the starting point as an array; the problem's own unless given.

    Raises:
        ValueError: if ``start`` is not a point in a plane.
    """
    start = getattr(problem, "start", None) if start is None else start
    if start is None or np.shape(start) != (2,):
        came = "" if start is None else f", not of shape {np.shape(start)}"
        raise ValueError(f"start must be a point in the plane, of shape (2,){came}")
    if not np.isfinite(start).all():
        raise ValueError(f"start must be a point in the plane, not {start}")
    return jnp.asarray(start, float)

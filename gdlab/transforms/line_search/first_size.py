"""The step size that a line search tries first."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from gdlab.core.structure import Updates
from gdlab.transforms.line_search.ray import Point
from gdlab.transforms.norms.norms import tree_norm

FirstSize = Callable[[jax.Array, jax.Array, Point, Updates], jax.Array]
"""``first(last size, last decrease of the loss, start, direction)`` → size"""


def _one(last: jax.Array, decrease: jax.Array, start: Point, direction: Updates) -> jax.Array:
    del decrease, start, direction
    return jnp.ones_like(last)


def _keep(last: jax.Array, decrease: jax.Array, start: Point, direction: Updates) -> jax.Array:
    del decrease, start, direction
    return last


def _interpolate(
    last: jax.Array, decrease: jax.Array, start: Point, direction: Updates
) -> jax.Array:
    """The size min(1, 1.01·2·decrease/|slope|), or 1 at the first step.

    It is the minimiser of the parabola with the slope at the start that decreases as much as the
    last step did (Nocedal and Wright 2006, eq. 3.60).
    """
    del last, direction
    expected = 2.02 * decrease / jnp.where(start.slope < 0, -start.slope, 1)
    return jnp.where(decrease > 0, jnp.minimum(expected, 1), 1)


def _length_one(
    last: jax.Array, decrease: jax.Array, start: Point, direction: Updates
) -> jax.Array:
    """The same as :func:`_interpolate`, but the first step has length 1, or size 1 if shorter."""
    length = tree_norm(direction)
    first = 1 / jnp.where(length > 1, length, 1)
    return jnp.where(decrease > 0, _interpolate(last, decrease, start, direction), first)


FIRST_SIZES: Mapping[str, FirstSize] = MappingProxyType(
    {"keep": _keep, "one": _one, "interpolate": _interpolate, "length_one": _length_one}
)

"""A function of one lane at all lanes: all together, or as many as a processor's cache holds."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.jaxprs import equations, size_of_results

CACHE_OF_A_CORE = 2**20
"""The bytes of the largest array with which a core's own cache has room for some others."""


def mapped(of_lane: Callable[[Any, Any], Any], points: Any, lanes: Any) -> Any:
    """``of_lane(point, lane)`` of all lanes together.

    Args:
        of_lane: the function of the hyperparameters of a point and the values of a lane.
        points: arrays with a leading axis of points.
        lanes: arrays with leading axes of seeds and points.

    Returns:
        The values of the function, with leading axes of seeds and points.
    """
    return jax.vmap(jax.vmap(of_lane), (None, 0))(points, lanes)


def mapped_in_cache(of_lane: Callable[[Any, Any], Any], points: Any, lanes: Any) -> Any:
    """The same as :func:`mapped`, of as many lanes together as a core's cache has room for.

    An evaluation on many examples computes arrays that are far larger than a lane. Those of one
    lane after another are written to the same place, which the cache holds.
    """
    seeds, count = jax.tree.leaves(lanes)[0].shape[:2]
    point = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), points)
    lane = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[2:], leaf.dtype), lanes)
    largest = max(map(size_of_results, equations(of_lane, point, lane)), default=0)
    at_once = max(1, CACHE_OF_A_CORE // max(largest, 1))
    if at_once >= seeds * count:
        return mapped(of_lane, points, lanes)
    # A divisor, since the program would hold those left over once more.
    at_once = max(part for part in range(1, at_once + 1) if seeds * count % part == 0)
    points = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (seeds, *leaf.shape)), points)
    values = jax.lax.map(
        lambda lane: of_lane(*lane),
        jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), (points, lanes)),
        batch_size=at_once if at_once > 1 else None,
    )
    return jax.tree.map(lambda leaf: leaf.reshape(seeds, count, *leaf.shape[1:]), values)

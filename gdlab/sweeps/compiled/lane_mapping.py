"""Map a function of one lane over all lanes, at once or in parts that fit into a CPU's cache."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.jaxprs import equations, size_of_results

CACHE_OF_A_CORE = 2**20
"""Bytes of the largest array that leaves room for a few others in the cache of one core."""


def mapped(of_lane: Callable[[Any, Any], Any], points: Any, lanes: Any) -> Any:
    """Map ``of_lane(point, lane)`` over all lanes at once.

    Args:
        of_lane: the function of the hyperparameters of a point and the values of a lane.
        points: arrays with a leading axis of points.
        lanes: arrays with leading axes of seeds and points.

    Returns:
        The values of the function, with leading axes of seeds and points.
    """
    return jax.vmap(jax.vmap(of_lane), (None, 0))(points, lanes)


def mapped_in_cache(of_lane: Callable[[Any, Any], Any], points: Any, lanes: Any) -> Any:
    """Do what :func:`mapped` does for as many lanes at a time as fit into the cache of a core.

    An evaluation on many examples computes arrays far larger than a lane's state. Lane after lane
    they reuse the same memory, which then stays in the cache.
    """
    seeds, count = jax.tree.leaves(lanes)[0].shape[:2]
    point = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), points)
    lane = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[2:], leaf.dtype), lanes)
    largest = max(map(size_of_results, equations(of_lane, point, lane)), default=0)
    at_once = max(1, CACHE_OF_A_CORE // max(largest, 1))
    if at_once >= seeds * count:
        return mapped(of_lane, points, lanes)
    # A divisor, since the program would contain the function once more for the lanes left over.
    at_once = max(part for part in range(1, at_once + 1) if seeds * count % part == 0)
    points = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (seeds, *leaf.shape)), points)
    values = jax.lax.map(
        lambda lane: of_lane(*lane),
        jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), (points, lanes)),
        batch_size=at_once if at_once > 1 else None,
    )
    return jax.tree.map(lambda leaf: leaf.reshape(seeds, count, *leaf.shape[1:]), values)

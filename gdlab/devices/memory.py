"""The number of points that fit into memory."""

import math
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from gdlab.devices.free_memory import bytes_on_a_device, free_bytes
from gdlab.devices.mesh import devices_of, is_on_host, parts_of_lanes
from gdlab.devices.shape_cache import ShapeCache

SHARE = 0.5
"""The fraction of the free memory that a program may take; the rest is for copies and the user."""
CACHE = 10 * 2**20
"""The size in bytes of lanes that a processor's caches hold from step to step."""
FEWEST_LANES = 4
"""The smallest number of lanes in a call, whatever their size, since each call has a fixed cost."""


class MemoryNeed(NamedTuple):
    """The memory that a compiled program takes on one device."""

    bytes: int
    on_all: int
    """The bytes that do not grow with the number of points."""


_NEEDS: ShapeCache[MemoryNeed] = ShapeCache()


def points_that_fit(
    program: Any,
    static: tuple[Any, ...],
    arguments: tuple[Any, ...],
    size: int,
    data: Any,
    mesh: Mesh | None,
    beside: Any = (),
) -> int:
    """The number of points that fit into memory, by the compiler's estimate for the program.

    Args:
        program: a jitted function.
        static: the leading static arguments of the program.
        arguments: the other arguments for ``size`` points, or their shapes and dtypes.
        size: the number of points.
        data: the part of the arguments that does not grow with the number of points.
        mesh: the devices over which the points are spread.
        beside: further arrays per point, or their shapes and dtypes, that are on the devices while
            the program runs.

    Returns:
        ``size``, or fewer.
    """
    need = _NEEDS.get((program, static), arguments, lambda: _need(program, static, arguments, data))
    need = need._replace(bytes=need.bytes + sum(map(bytes_on_a_device, jax.tree.leaves(beside))))
    devices = devices_of(mesh)
    # All devices of the host share its memory.
    free = SHARE * free_bytes(devices[0]) / (len(devices) if is_on_host(mesh) else 1)
    if need.bytes <= free:
        return size
    parts = parts_of_lanes(mesh)
    of_a_point = max((need.bytes - need.on_all) * parts / size, 1.0)
    return max(1, min(size, int((free - need.on_all) * parts / of_a_point)))


def lanes_in_cache(bytes_of_a_lane: float, mesh: Mesh | None) -> float:
    """The number of lanes that fit into a processor's caches; infinite for other devices."""
    if not is_on_host(mesh):
        return math.inf
    return parts_of_lanes(mesh) * max(FEWEST_LANES, CACHE // max(bytes_of_a_lane, 1))


def _need(
    program: Any, static: tuple[Any, ...], arguments: tuple[Any, ...], data: Any
) -> MemoryNeed:
    """The memory that a program needs, by the compiler's estimate."""
    analysis = program.lower(*static, *arguments).compile().memory_analysis()
    if analysis is None:
        return MemoryNeed(0, 0)
    total = (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        - analysis.alias_size_in_bytes
        + analysis.temp_size_in_bytes
    )
    return MemoryNeed(total, sum(getattr(leaf, "nbytes", 8) for leaf in jax.tree.leaves(data)))

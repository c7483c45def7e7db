"""How much memory there is for the lanes of a sweep."""

import os
import pathlib
from typing import Any

import jax
from jax.sharding import Mesh

SHARE = 0.5
"""The part of the free memory that a sweep takes: starts, copies and the user's own need some."""


def points_that_fit(lowered: Any, size: int, data: Any, mesh: Mesh | None) -> int:
    """For how many points at once there is memory, by the compiled program's own account.

    Args:
        lowered: the program for all points; it is compiled.
        size: how many these are.
        data: what it is given that does not grow with the points, once on each device.
        mesh: the devices over which the points are spread.
    """
    analysis = lowered.compile().memory_analysis()
    if analysis is None:
        return size
    fixed = sum(getattr(leaf, "nbytes", 8) for leaf in jax.tree.leaves(data))
    # The account is that of one device, with its part of the points.
    total = (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        - analysis.alias_size_in_bytes
        + analysis.temp_size_in_bytes
    )
    devices = [jax.local_devices()[0]] if mesh is None else list(mesh.devices.flat)
    shared = len(devices) if devices[0].platform == "cpu" else 1
    free = SHARE * free_bytes(devices[0]) / shared
    if total <= free:
        return size
    of_a_point = max((total - fixed) * len(devices) / size, 1.0)
    return max(1, int((free - fixed) * len(devices) / of_a_point))


def free_bytes(device: Any) -> float:
    """The free memory of a device; of the host where the device reports none."""
    statistics = device.memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"] - statistics["bytes_in_use"]
    return min(_free_on_host(), _free_in_group())


def _free_on_host() -> float:
    try:
        for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    try:
        # Where nothing says what is free, half of what there is.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    except (ValueError, OSError, AttributeError):
        return 4 * 2**30


def _free_in_group() -> float:
    """What the control group of a container leaves, infinite without a limit."""
    group = pathlib.Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        return limit - int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return float("inf")

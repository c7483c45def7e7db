"""How much memory there is for the lanes of a sweep."""

import os
import pathlib
from typing import Any

import jax

from gdlab.sweeps.engine import Carry, Keys, Plan, Swept, advance

SHARE = 0.5
"""The part of the free memory that a sweep takes: starts, copies and the user's own need some."""


def points_that_fit(
    plan: Plan, template: Swept, carry: Carry, points: Any, keys: Keys, data: Any
) -> int:
    """For how many points at once there is memory, by the compiler's own account.

    Args:
        plan: what is compiled.
        template: the optimizer and hyperparameters, with slots.
        carry: shapes and dtypes for all points.
        points: shapes and dtypes of all points.
        keys: shapes and dtypes of the seeds' keys.
        data: what the steps draw from.
    """
    size = carry.lanes.loss.shape[1]
    compiled = advance.lower(plan, template, carry, points, keys, data, 0, 0, 1).compile()
    analysis = compiled.memory_analysis()
    if analysis is None:
        return size
    # What does not grow with the points: the data, once on each device.
    fixed = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(data))
    total = (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        - analysis.alias_size_in_bytes
        + analysis.temp_size_in_bytes
    )
    # The account is that of one device, which holds its part of the points.
    devices = [jax.devices()[0]] if plan.mesh is None else list(plan.mesh.devices.flat)
    on_host = devices[0].platform == "cpu"
    free = SHARE * free_bytes(devices[0]) / (len(devices) if on_host else 1)
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
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    except (ValueError, OSError, AttributeError):
        return 4 * 2**30


def _free_in_group() -> float:
    """What the control group of a container leaves, infinite without a limit."""
    group = pathlib.Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        return int(limit) - int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return float("inf")

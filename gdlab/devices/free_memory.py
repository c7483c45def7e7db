"""The free memory of devices, and the refusal of arrays that do not fit."""

import os
import pathlib
from typing import Any

import jax

from gdlab.devices.control_groups import free_bytes_in_groups

LEAST_ASKED = 2**27
"""Arrays up to this size in bytes are never refused."""


def free_bytes(device: Any) -> float:
    """The free memory of a device in bytes; that of the host if the device does not report it."""
    statistics = device.memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"] - statistics["bytes_in_use"]
    return free_bytes_of_host()


def free_bytes_of_host() -> float:
    """The free memory of the host in bytes, within the limits of a container."""
    return min(_free_on_host(), free_bytes_in_groups())


def _free_on_host() -> float:
    try:
        for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    try:
        # If the free memory is unknown, assume half of the total.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    except (ValueError, OSError, AttributeError):
        return 4 * 2**30


def require_memory(what: str, needed: float, advice: str) -> None:
    """Refuse arrays that do not fit into the memory of the first device.

    Args:
        what: the noun for the arrays, the subject of the message.
        needed: the size of the arrays in bytes.
        advice: advice on how to need less.

    Raises:
        ValueError: naming the needed and the available memory.
    """
    if needed <= LEAST_ASKED:
        return
    free = free_bytes(jax.local_devices()[0])
    if needed > free:
        raise ValueError(
            f"{what} take {needed:.3g} bytes, and there are {free:.3g} of memory left: {advice}"
        )

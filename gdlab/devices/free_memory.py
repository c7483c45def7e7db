"""The free memory of devices, and refusals of what it does not hold."""

import os
import pathlib
from typing import Any

import jax

from gdlab.devices.control_groups import free_bytes_in_groups

LEAST_ASKED = 2**27
"""The bytes up to which nobody asks whether there is memory for them."""


def free_bytes(device: Any) -> float:
    """The free memory of a device; of the host where the device reports none."""
    statistics = device.memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"] - statistics["bytes_in_use"]
    return free_bytes_of_host()


def free_bytes_of_host() -> float:
    """The free memory of the host, within the limits of the container."""
    return min(_free_on_host(), free_bytes_in_groups())


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


def require_memory(what: str, needed: float, advice: str) -> None:
    """Refuse arrays that are more than the memory of the first device holds.

    Args:
        what: what they are, as the subject of a message.
        needed: their bytes.
        advice: what would take less.

    Raises:
        ValueError: saying how much they take, and how much there is.
    """
    if needed <= LEAST_ASKED:
        return
    free = free_bytes(jax.local_devices()[0])
    if needed > free:
        raise ValueError(
            f"{what} take {needed:.3g} bytes, and there are {free:.3g} of memory left: {advice}"
        )

"""The free memory of devices, and the refusal of arrays that do not fit."""

import math
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.devices.control_groups import free_bytes_in_groups

MIN_CHECKED_BYTES = 2**27
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


def bytes_on_a_device(leaf: Any) -> int:
    """The bytes of an array, or of its largest shard if it is spread over devices."""
    sharding = getattr(leaf, "sharding", None)
    shape = leaf.shape if sharding is None else sharding.shard_shape(leaf.shape)
    return math.prod(shape) * leaf.dtype.itemsize


def bytes_in_memory(tree: Any) -> int:
    """The bytes that arrays take in the memory of one device, which all devices of a host share."""
    return sum(map(bytes_on_a_device, jax.tree.leaves(tree))) * _devices_in_memory(tree)


def require_memory(what: str, needed: float, like: Any, advice: str) -> None:
    """Refuse arrays that do not fit into the memory of a device.

    Args:
        what: the noun for the arrays, the subject of the message.
        needed: their bytes in the memory of one device.
        like: arrays that are where these will be.
        advice: advice on how to need less.

    Raises:
        ValueError: naming the needed and the available memory.
    """
    if needed <= MIN_CHECKED_BYTES:
        return
    free = free_bytes(_devices_of(like)[0])
    if needed > free:
        raise ValueError(
            f"{what} take {needed:.3g} bytes, and there are {free:.3g} of memory left: {advice}"
        )


def _devices_in_memory(tree: Any) -> int:
    devices = _devices_of(tree)
    return len(devices) if devices[0].platform == "cpu" else 1


def _devices_of(tree: Any) -> list[Any]:
    """The devices of this process that hold arrays; the default one if these are not there yet."""
    shardings = [getattr(leaf, "sharding", None) for leaf in jax.tree.leaves(tree)]
    held = next((sharding.addressable_devices for sharding in shardings if sharding), None)
    return list(held or [_default_device()])


def _default_device() -> Any:
    with jax.ensure_compile_time_eval():  # the caller may be within a program that is traced
        return next(iter(jnp.zeros(()).devices()))

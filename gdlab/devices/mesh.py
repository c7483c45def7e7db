"""Devices in a row, and points in numbers that can be dealt out to them."""

import math
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def row_of_devices(mesh: Mesh | None) -> Mesh | None:
    """The devices of a mesh that belong to this process, in a row; None for a single one."""
    devices = [] if mesh is None else mesh.local_mesh.devices.reshape(-1)
    return Mesh(devices, ("lanes",)) if len(devices) > 1 else None


def on_all_devices(tree: Any, mesh: Mesh | None) -> Any:
    """A tree of arrays on every device of a mesh, or on the default device without one."""
    return jax.device_put(tree, mesh and NamedSharding(mesh, PartitionSpec()))


def padded(members: np.ndarray, mesh: Mesh | None) -> np.ndarray:
    """The members with copies of the last added until all devices have equally many."""
    devices = 1 if mesh is None else mesh.size
    return np.pad(members, (0, -len(members) % devices), mode="edge")


def evenly(size: int, most: int) -> int:
    """The size of the largest of as few parts as there can be, if all are alike."""
    return math.ceil(size / math.ceil(size / most))

"""Meshes of devices over which lanes are spread, and padding to a multiple of the devices."""

import math
from collections.abc import Collection
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

LANES = "lanes of a sweep"
"""The name of the mesh axis over which lanes are spread, which no user's mesh has."""


def row_of_devices(mesh: Mesh | None) -> Mesh | None:
    """The devices of a mesh in this process, as a one-dimensional mesh; None for a single one."""
    return rows_of_devices(mesh, ())


def rows_of_devices(mesh: Mesh | None, of_lane: Collection[str]) -> Mesh | None:
    """The devices of a mesh that belong to this process, in rows that share lanes.

    Args:
        mesh: the devices.
        of_lane: the axes of the mesh over which single lanes are split, along the rows.

    Returns:
        A mesh whose first axis is that of the lanes, and whose others are ``of_lane``, in the order
        of the mesh; None for a single device.
    """
    if mesh is None or mesh.local_mesh.size == 1:
        return None
    names = [name for name in mesh.axis_names if name in of_lane]
    axes = [mesh.axis_names.index(name) for name in names]
    devices = np.moveaxis(mesh.local_mesh.devices, axes, range(-len(axes), 0))
    lengths = [mesh.local_mesh.shape[name] for name in names]
    # XLA decides how arrays are split over the other axes within the program.
    automatic = (AxisType.Auto,) * (1 + len(names))
    return Mesh(devices.reshape(-1, *lengths), (LANES, *names), axis_types=automatic)


def parts_of_lanes(mesh: Mesh | None) -> int:
    """The number of devices, or of rows of devices, over which lanes are spread."""
    return 1 if mesh is None else mesh.shape[LANES]


def devices_of(mesh: Mesh | None) -> list[Any]:
    """The devices of a mesh, or the default device without one."""
    return [jax.local_devices()[0]] if mesh is None else list(mesh.devices.flat)


def is_on_host(mesh: Mesh | None) -> bool:
    """Tell whether the devices of a mesh are the processor of the host."""
    return devices_of(mesh)[0].platform == "cpu"


def on_all_devices(tree: Any, mesh: Mesh | None) -> Any:
    """A tree of arrays on every device of a mesh, or on the default device without one."""
    return jax.device_put(tree, mesh and NamedSharding(mesh, PartitionSpec()))


def padded(members: np.ndarray, mesh: Mesh | None) -> np.ndarray:
    """The members, padded with copies of the last until all devices have the same number."""
    return np.pad(members, (0, -len(members) % parts_of_lanes(mesh)), mode="edge")


def evenly(size: int, most: int) -> int:
    """The size of equal parts, above most/2 and at most ``most``, that needs the least padding."""
    sizes = range(min(size, most), min(size, most) // 2, -1)
    return min(sizes, key=lambda part: math.ceil(size / part) * part)

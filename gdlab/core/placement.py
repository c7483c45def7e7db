"""The placement of arrays on a mesh of devices, within a trace.

Under a mesh with explicit axes, the type of an array says over which mesh axes it is split. Under
other meshes the type says nothing and XLA decides; constraints can be given only if the mesh has
been set by ``jax.set_mesh``.
"""

import math
from collections.abc import Collection, Sequence

import jax
from jax.sharding import AxisType, PartitionSpec

from gdlab.core.structure import Value


def parts_of(x: jax.Array) -> list[Value]:
    """The mesh axis or axes over which each axis of an array is split; None if it is not split."""
    spec = jax.typeof(x).sharding.spec
    return [*spec, *[None] * (x.ndim - len(spec))]


def names_in(part: Value) -> tuple[str, ...]:
    """The names of the mesh axes in one entry of a partition specification."""
    return () if part is None else (part,) if isinstance(part, str) else tuple(part)


def pieces(x: jax.Array, part: Value) -> int:
    """The number of pieces into which the mesh axes ``part`` split an axis of an array."""
    sizes = jax.typeof(x).sharding.mesh.shape
    return math.prod(sizes[name] for name in names_in(part))


def placed(x: jax.Array, parts: Sequence[Value]) -> jax.Array:
    """The array, resharded over these mesh axes of an explicit mesh, one entry for each axis."""
    parts = list(parts)
    return x if parts_of(x) == parts else jax.sharding.reshard(x, PartitionSpec(*parts))


def placed_like(x: jax.Array, like: jax.Array) -> jax.Array:
    """The array, resharded like another array of the same shape."""
    return placed(x, parts_of(like))


def gathered(x: jax.Array, axes: Collection[int]) -> jax.Array:
    """The array, resharded so that the given axes are not split, if the mesh is known.

    A computation along these axes then needs no communication between devices.
    """
    if AxisType.Auto in jax.sharding.get_abstract_mesh().axis_types:
        free = PartitionSpec.UNCONSTRAINED
        parts = [None if axis in axes else free for axis in range(x.ndim)]
        x = jax.lax.with_sharding_constraint(x, PartitionSpec(*parts))
    return placed(x, [None if a in axes else part for a, part in enumerate(parts_of(x))])


def whole(x: jax.Array) -> jax.Array:
    """The array, replicated on all devices."""
    return placed(x, [None] * x.ndim)

"""The placement of arrays on a mesh of devices, within a trace.

Under an explicit mesh the type of an array tells over which axes it is split. Under any other no
array is split as far as its type says, and XLA decides; it can be told what to do only where the
mesh is known, which is what ``jax.set_mesh`` does.
"""

import math
from collections.abc import Collection, Sequence

import jax
from jax.sharding import AxisType, PartitionSpec

from gdlab.core.structure import Value


def parts_of(x: jax.Array) -> list[Value]:
    """The axis or axes of the mesh over which each axis of an array is split, None for none."""
    spec = jax.typeof(x).sharding.spec
    return [*spec, *[None] * (x.ndim - len(spec))]


def names_in(part: Value) -> tuple[str, ...]:
    """The axes of the mesh over which one axis of an array is split."""
    return () if part is None else (part,) if isinstance(part, str) else tuple(part)


def pieces(x: jax.Array, part: Value) -> int:
    """The number of pieces into which axes of the mesh of an array split something."""
    sizes = jax.typeof(x).sharding.mesh.shape
    return math.prod(sizes[name] for name in names_in(part))


def placed(x: jax.Array, parts: Sequence[Value]) -> jax.Array:
    """The array, split over these axes of an explicit mesh."""
    parts = list(parts)
    return x if parts_of(x) == parts else jax.sharding.reshard(x, PartitionSpec(*parts))


def placed_like(x: jax.Array, like: jax.Array) -> jax.Array:
    """The array, split as another one of its shape is."""
    return placed(x, parts_of(like))


def gathered(x: jax.Array, axes: Collection[int]) -> jax.Array:
    """The array, with these of its axes as a whole on one device, if the mesh is known.

    What is computed of such slices then needs no other device.
    """
    if AxisType.Auto in jax.sharding.get_abstract_mesh().axis_types:
        free = PartitionSpec.UNCONSTRAINED
        parts = [None if axis in axes else free for axis in range(x.ndim)]
        x = jax.lax.with_sharding_constraint(x, PartitionSpec(*parts))
    return placed(x, [None if a in axes else part for a, part in enumerate(parts_of(x))])


def whole(x: jax.Array) -> jax.Array:
    """The array, as a whole on each device."""
    return placed(x, [None] * x.ndim)

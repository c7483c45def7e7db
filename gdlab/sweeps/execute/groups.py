"""Groups of lanes: each group is on the devices as a whole."""

import dataclasses
import math
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from gdlab.axes.grid import Points
from gdlab.devices.mesh import padded
from gdlab.sweeps.execute.tables import GroupResult


@dataclasses.dataclass
class LaneGroup:
    """Lanes that are on the devices at the same time: some seeds of some points."""

    name: str
    seeds: np.ndarray
    """Positions among the seeds."""
    places: np.ndarray
    """The indices, among all points of the sweep, under which the points are recorded."""
    members: np.ndarray
    """Indices among the points that are left, padded with copies of the last one."""
    points: Points
    """The hyperparameters of the members, padded likewise."""
    steps: int
    """The number of steps that were taken."""
    state: Any = None
    on_host: bool = False

    @property
    def lanes(self) -> int:
        """The number of lanes, without padding."""
        return len(self.seeds) * len(self.places)

    @property
    def is_there(self) -> bool:
        """True if the group has begun, and no interrupted call has destroyed its arrays."""
        if self.state is None:
            return False
        status = self.state.lanes.status
        return not (isinstance(status, jax.Array) and status.is_deleted())


def groups_of(
    name: str,
    places: np.ndarray,
    values: Points,
    steps: int,
    *,
    seeds: int,
    seeds_at_once: int,
    points_at_once: int,
    multiple_of: int,
    mesh: Mesh | None,
) -> list[LaneGroup]:
    """The points that are left, and all seeds, as groups of like shape.

    Args:
        name: what the names of the groups begin with.
        places: the numbers of the points.
        values: their hyperparameters.
        steps: how many steps they have taken.
        seeds: the number of seeds.
        seeds_at_once: the most seeds in a group.
        points_at_once: the most points in a group.
        multiple_of: how many processes the groups are dealt out to.
        mesh: the devices that share a group.
    """
    parts = math.ceil(math.ceil(len(places) / points_at_once) / multiple_of) * multiple_of
    width = math.ceil(len(places) / min(parts, len(places)))
    groups = []
    for first in range(0, len(places), width):
        count = min(width, len(places) - first)
        members = np.minimum(np.arange(first, first + width), first + count - 1)
        members = padded(members, mesh)
        for seed in range(0, seeds, seeds_at_once):
            groups.append(
                LaneGroup(
                    name=f"{name}group{len(groups)}.",
                    seeds=np.arange(seed, min(seed + seeds_at_once, seeds)),
                    places=places[members[:count]],
                    members=members,
                    points={axis: array[members] for axis, array in values.items()},
                    steps=steps,
                )
            )
    return groups


def together(groups: list[LaneGroup], results: dict[str, GroupResult], seeds: int) -> Any:
    """The lanes of all groups, on the host, with leading axes of seeds and points."""
    shape = (seeds, 1 + max(int(group.members[-1]) for group in groups))
    some = results[groups[0].name].lanes
    lanes = jax.tree.map(lambda leaf: np.empty(shape + leaf.shape[2:], leaf.dtype), some)
    for group in groups:
        here = np.ix_(group.seeds, group.members[: len(group.places)])

        def write(all_: np.ndarray, new: np.ndarray, here: Any = here) -> None:
            all_[here] = new

        jax.tree.map(write, lanes, results[group.name].lanes)
    return lanes

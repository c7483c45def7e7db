"""Groups of the less common settings of a sweep."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from jax.sharding import Mesh

from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Between, Count
from gdlab.devices.lane_split import axes_of
from gdlab.devices.mesh import rows_of_devices
from gdlab.sweeps.direction import is_maximized


@checked_class
@dataclasses.dataclass(frozen=True)
class Checkpointing:
    """A folder in which a sweep keeps its finished work, and how often it does so.

    ``sweep(..., checkpoint="folder")`` stands for ``checkpoint=Checkpointing("folder")``.

    Args:
        folder: the folder: an absent or empty one, or that of an earlier identical call, which the
            sweep then continues.
        seconds_between_saves: how often, in seconds, the state of unfinished lanes is saved too; it
            is also saved when an exception ends the sweep.

    >>> from gdlab import Checkpointing
    >>> Checkpointing("rates", seconds_between_saves=300.0)
    Checkpointing(folder='rates', seconds_between_saves=300.0)
    """

    folder: str | os.PathLike[str]
    seconds_between_saves: Annotated[float, Between(0)] = 60.0

    @classmethod
    def of(
        cls, checkpoint: "str | os.PathLike[str] | Checkpointing | None"
    ) -> "Checkpointing | None":
        """The settings for an argument ``checkpoint`` of a sweep; None for no checkpoint."""
        if checkpoint is None or isinstance(checkpoint, Checkpointing):
            return checkpoint
        return cls(checkpoint)


@checked_class
@dataclasses.dataclass(frozen=True)
class Resources:
    """The devices and the memory that a sweep uses.

    Args:
        lane_chunk: the largest number of lanes that are computed together; "auto" for as many as
            fit into the free memory, by the compiler's estimate.
        exact: whether each lane must equal, bit for bit, the same lane in a sweep by itself; lanes
            are then computed one at a time.
        mesh: the devices over which the lanes are spread; if it has devices of several processes,
            each process computes a part, and every process returns the whole result.
        params_spec: for lanes that do not fit on one device: a tree of
            ``jax.sharding.PartitionSpec`` (or None, for an array that is not split) with the
            structure of the parameters of one lane, or a prefix of it. Each lane is split over the
            axes of the mesh that the tree names, and lanes are spread over the other axes. The
            state of the optimizer is split like the parameters.

    Raises:
        ValueError: if ``lane_chunk`` is not positive, ``exact`` is asked for on several devices, or
            ``params_spec`` names an axis that the mesh does not have in one process.
        TypeError: if ``params_spec`` holds anything but such specifications.

    >>> from gdlab import Resources
    >>> Resources(lane_chunk=64)
    Resources(lane_chunk=64, exact=False, mesh=None, params_spec=None)
    """

    lane_chunk: Count | Literal["auto"] = "auto"
    exact: bool = False
    mesh: Mesh | None = None
    params_spec: Any = None

    def __post_init__(self) -> None:
        self._require_axes()
        if self.exact and self.lane_chunk != "auto":
            raise ValueError(
                f"exact=True computes one lane at a time: lane_chunk={self.lane_chunk} has no place"
            )
        if self.exact and (rows := self.rows) is not None:
            raise ValueError(
                "exact=True computes one lane at a time: it cannot spread them over "
                f"{rows.size} devices"
            )

    def _require_axes(self) -> None:
        """Refuse a specification with a name that is not a mesh axis within one process."""
        for name in sorted(axes_of(self.params_spec)):
            if self.mesh is None:
                raise ValueError(
                    f"params_spec splits parameters over {name!r}, but there is no mesh: give "
                    f"mesh=jax.make_mesh((…, …), ('lanes', {name!r}))"
                )
            if name not in self.mesh.axis_names:
                raise ValueError(
                    f"params_spec splits parameters over {name!r}, but the axes of the mesh are "
                    f"{', '.join(map(repr, self.mesh.axis_names))}"
                )
            here, everywhere = self.mesh.local_mesh.shape[name], self.mesh.shape[name]
            if here < everywhere:
                raise ValueError(
                    f"params_spec splits parameters over {name!r}, of whose {everywhere} devices "
                    f"this process has {here}: a lane is computed by one process, so order the "
                    "mesh so that processes lie along the other axes"
                )

    @property
    def rows(self) -> Mesh | None:
        """The devices of this process, in rows that share lanes; None for a single device."""
        return rows_of_devices(self.mesh, axes_of(self.params_spec))

    @property
    def shared(self) -> bool:
        """True if several processes share the lanes."""
        return self.mesh is not None and self.mesh.is_multi_process

    @property
    def most_lanes(self) -> int | None:
        """The largest number of lanes at once; None for as many as fit."""
        return None if self.lane_chunk == "auto" else self.lane_chunk


@checked_class
@dataclasses.dataclass(frozen=True)
class Patience:
    """Early stopping: the number of evaluations for which a lane continues without improvement.

    It needs evaluations on the way; see ``evaluate_every`` of :func:`gdlab.sweep`.

    Args:
        metric: the name of an evaluation metric.
        evaluations: a lane stops after this number of consecutive evaluations without improvement.
        least: the amount by which a value must beat the best so far to count as an improvement.
        maximize: whether more is better, unless the name of the metric tells.

    Raises:
        ValueError: if the number is not positive, ``least`` is negative, or nothing tells the
            direction of the metric.

    >>> from gdlab import Patience
    >>> Patience("held_out_loss", 3)
    Patience(metric='held_out_loss', evaluations=3, least=0.0, maximize=False)
    """

    metric: str
    evaluations: Count = 5
    least: Annotated[float, Between(0)] = 0.0
    maximize: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "maximize", is_maximized(self.metric, self.maximize))


@checked_class
@dataclasses.dataclass(frozen=True)
class Stopping:
    """The conditions under which a lane stops before its last step.

    Args:
        targets: "loss", "gradient_norm" or the name of an auxiliary value → its target, a number; a
            lane stops with the status "converged" at the first step where all values are at or
            below their targets.
        divergence_factor: a lane has diverged when its loss exceeds this factor times its first
            value, or is not finite.
        patience: early stopping by an evaluation metric; the status is then "converged" as well.

    Raises:
        ValueError: if a target is not finite, or ``divergence_factor`` is below 1.

    >>> from gdlab import Axis, Stopping, sgd, sweep
    >>> tx = sgd(Axis("learning_rate", [0.1, 0.4]))
    >>> sweep(lambda w: w**2, 1.0, tx, steps=50, stopping=Stopping({"loss": 1e-6})).stopped_at
    array([[31],
           [ 5]])
    """

    targets: Mapping[str, float] = dataclasses.field(default_factory=dict)
    divergence_factor: Annotated[float, Between(1)] = 1e4
    patience: Patience | None = None

    def __post_init__(self) -> None:
        for name, bound in self.targets.items():
            if not np.isfinite(bound):
                raise ValueError(
                    f"targets: {name!r} must have a finite number to come down to, not {bound}"
                )

    @property
    def bounds(self) -> tuple[tuple[str, float], ...]:
        """The name and the bound of each target."""
        return tuple((name, float(bound)) for name, bound in self.targets.items())

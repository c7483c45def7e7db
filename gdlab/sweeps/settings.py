"""Settings of a sweep that are rarely needed one by one, in named groups."""

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
        folder: the folder; an absent or an empty one, or that of the same call, which goes on.
        seconds_between_saves: the seconds after which the state of lanes on their way is kept as
            well; it also is when an exception ends the sweep.

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
        """The settings that an argument ``checkpoint`` stands for, None for no checkpoint."""
        if checkpoint is None or isinstance(checkpoint, Checkpointing):
            return checkpoint
        return cls(checkpoint)


@checked_class
@dataclasses.dataclass(frozen=True)
class Resources:
    """The devices and the memory that a sweep uses.

    Args:
        lane_chunk: the number of lanes that are computed together at most; "auto" for as many as
            fit into the free memory, by the compiled program's own account.
        exact: whether each lane is to be bit for bit what it is in a sweep by itself, for which
            one is computed at a time.
        mesh: devices over which the lanes are spread; if it holds those of several processes, each
            process computes a part, and all return all.
        params_spec: for lanes that are larger than a device, a tree like the parameters of one
            lane, or a prefix of one, of ``jax.sharding.PartitionSpec`` (or None, for a whole
            array). Each lane is split over the axes of the mesh that it names, and lanes are spread
            over the others. The state of the optimizer is split as its parameters are.

    Raises:
        ValueError: if ``lane_chunk`` is not positive, ``exact`` is asked for on several devices, or
            ``params_spec`` names an axis that the mesh does not have in one process.
        TypeError: if ``params_spec`` holds something else than specifications.

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
        """Refuse a specification that names what is no axis of the mesh within one process."""
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
        """The most lanes at once, None for as many as fit."""
        return None if self.lane_chunk == "auto" else self.lane_chunk


@checked_class
@dataclasses.dataclass(frozen=True)
class Patience:
    """The number of evaluations for which a lane goes on without a better value of a metric.

    It looks at the evaluations on the way, which ``evaluate_every`` asks for.

    Args:
        metric: the name of an evaluation metric.
        evaluations: the number of evaluations in a row without an improvement at which a lane
            stops.
        least: by how much a value must be better than the best so far to be an improvement.
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
        targets: "loss", "gradient_norm" or the name of an auxiliary value → a number; a lane stops,
            and has converged, at the step at which all of them are at or below theirs.
        divergence_factor: a lane has diverged when its loss exceeds this factor times its first
            value, or is not finite.
        patience: a metric, and the number of evaluations without an improvement after which a lane
            stops; it has converged then as well.

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

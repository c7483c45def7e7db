"""One optimizer on one problem, in the form from which its programs are compiled."""

import contextlib
import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from gdlab.axes.grid import Points
from gdlab.devices.lane_split import LaneSplit
from gdlab.devices.mesh import is_on_host
from gdlab.sweeps.settings import Patience
from gdlab.training.batches import EpochSampler
from gdlab.training.models import OpenedModel
from gdlab.training.objective import ByIdentity, Objective

POINT_NUMBER = ""
"""Key of a point's index among its hyperparameters; empty, as no axis name can be."""


class LaneEvaluation(NamedTuple):
    """The evaluation of lanes on the way."""

    evaluate: ByIdentity
    every: int
    """The number of steps from one evaluation to the next."""
    patience: Patience | None
    """The rule that stops lanes without improvement; None if no lane stops."""


class Rows(NamedTuple):
    """The numbers of the rows of records that belong to some steps."""

    recorded: list[int]
    """The rows of the loss and of auxiliary values."""
    evaluated: list[int]
    """The rows of the metrics on the way."""


class ProgramStructure(NamedTuple):
    """The static arguments of the programs of one optimizer on one problem."""

    objective: Objective
    sampler: EpochSampler | None
    streamed: bool
    """True if the data are a stack of batches, one for each step; False if they are all
    examples."""
    steps: int
    record_every: int
    divergence_factor: float
    targets: tuple[tuple[str, float], ...]
    mesh: Mesh | None
    """Devices in rows, over which the points are spread."""
    split: LaneSplit | None
    """The split of each lane over the devices of a row; None where lanes are whole."""
    evaluation: LaneEvaluation | None
    """The evaluation on the way; None if lanes are evaluated at their ends alone."""

    def axes_of_lane(self) -> contextlib.AbstractContextManager[Any]:
        """A context in which users' functions may name the axes that lanes are split over."""
        if self.split is None or self.mesh is None:
            return contextlib.nullcontext()
        return jax.sharding.use_abstract_mesh(self.mesh.abstract_mesh)

    @property
    def keeps_in_cache(self) -> bool:
        """True if the devices are processors, with caches that can hold some whole lanes."""
        return self.split is None and is_on_host(self.mesh)

    @property
    def recorded_steps(self) -> np.ndarray:
        """Every ``record_every``-th step, and the one that would follow the last."""
        return np.append(np.arange(0, self.steps, self.record_every), self.steps)

    @property
    def number_recorded(self) -> int:
        """The number of recorded steps, found without making the list, which could be huge."""
        return -(-self.steps // self.record_every) + 1

    @property
    def evaluated_steps(self) -> list[int]:
        """The steps at which lanes are evaluated, including the one that would follow the last."""
        if self.evaluation is None:
            return []
        return [*range(0, self.steps, self.evaluation.every), self.steps]

    def rows(self, begin: int, end: int) -> Rows:
        """The rows of the records of the steps from ``begin`` to ``end``."""
        return Rows(
            self._rows(self.record_every, begin, end),
            self._rows(self.evaluation.every, begin, end) if self.evaluation else [],
        )

    def _rows(self, every: int, begin: int, end: int) -> list[int]:
        """The positions of such steps among every so many of them and the one after the last."""
        last = -(-self.steps // every)
        rows = range(-(-begin // every), min(-(-end // every), last))
        return [*rows, *[last] * (begin <= self.steps < end)]


class SweptValues(NamedTuple):
    """The arguments that may hold axes, with axes or with slots in place of them."""

    tx: Any
    hyperparameters: dict[str, Any]
    """The hyperparameters that are passed to the loss."""
    evaluate_hyperparameters: dict[str, Any]
    """The hyperparameters that are passed to ``evaluate``."""
    fixed: Any = None
    """The arrays that the model holds and never changes, one copy for all lanes; None where
    ``init`` makes the model, whose lanes have their own."""


@dataclasses.dataclass(frozen=True)
class SweepTask:
    """One optimizer on one problem, with slots in place of axes."""

    structure: ProgramStructure
    template: SweptValues
    init: ByIdentity | None
    first: OpenedModel | None
    """The model to start from; None if ``init`` makes it."""
    init_hyperparameters: dict[str, Any]
    evaluate: ByIdentity | None
    data: Any
    """The arrays, or the :class:`Stream`, that batches come from."""
    model_state: Any
    points: Points
    """The hyperparameters at all points, of shape ``(points,)`` each, and their numbers."""
    seeds: np.ndarray
    key: jax.Array

    @property
    def size(self) -> int:
        """The number of points."""
        return len(self.points[POINT_NUMBER])

    @property
    def bytes_of_losses(self) -> int:
        """The memory that the recorded losses of all lanes take on the host, in float32."""
        return 4 * self.size * len(self.seeds) * self.structure.number_recorded

    @property
    def lane_steps(self) -> int:
        """The steps of all lanes together, if none is dropped."""
        return self.size * len(self.seeds) * (self.structure.steps + 1)

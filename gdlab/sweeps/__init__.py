"""Sweeps: many runs as one program, and what came of them."""

from gdlab.sweeps.mapping import Mapped, map_axes
from gdlab.sweeps.plan.policies import (
    Hyperband,
    Move,
    Policy,
    PopulationBasedTraining,
    Ranking,
    SuccessiveHalving,
)
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.settings import Checkpointing, Resources, Stopping
from gdlab.sweeps.study import optimize_study
from gdlab.sweeps.sweep import sweep

__all__ = [
    "Checkpointing",
    "Hyperband",
    "Mapped",
    "Move",
    "Policy",
    "PopulationBasedTraining",
    "Ranking",
    "Resources",
    "Stopping",
    "SuccessiveHalving",
    "SweepResult",
    "map_axes",
    "optimize_study",
    "sweep",
]

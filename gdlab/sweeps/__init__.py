"""Sweeps: many training runs as one program, and their results."""

from gdlab.sweeps.mapping import Mapped, map_axes
from gdlab.sweeps.plan.policies import (
    Hyperband,
    Move,
    Policy,
    PopulationBasedTraining,
    Ranking,
    SuccessiveHalving,
)
from gdlab.sweeps.proposals.proposer import GaussianProcess, Measured, Proposer
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.settings import Checkpointing, Patience, Resources, Stopping
from gdlab.sweeps.study import optimize_study
from gdlab.sweeps.sweep import sweep

__all__ = [
    "Checkpointing",
    "GaussianProcess",
    "Hyperband",
    "Mapped",
    "Measured",
    "Move",
    "Patience",
    "Policy",
    "PopulationBasedTraining",
    "Proposer",
    "Ranking",
    "Resources",
    "Stopping",
    "SuccessiveHalving",
    "SweepResult",
    "map_axes",
    "optimize_study",
    "sweep",
]

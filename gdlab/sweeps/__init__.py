"""Sweeps: many runs as one program, and what came of them."""

from gdlab.sweeps.result import SweepResult
from gdlab.sweeps.sweep import sweep

__all__ = ["SweepResult", "sweep"]

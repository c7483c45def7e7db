"""Hyperparameters over the sizes of models: parametrisations, checks of them, and fitted laws."""

from gdlab.scaling.completed_p import completed_p
from gdlab.scaling.mup import mup
from gdlab.scaling.parametrization import LeafMultipliers, Parametrization
from gdlab.scaling.standard import standard

__all__ = [
    "LeafMultipliers",
    "Parametrization",
    "completed_p",
    "mup",
    "standard",
]

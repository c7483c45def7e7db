"""Hyperparameters over the sizes of models: parametrisations, checks of them, and fitted laws."""

from gdlab.scaling.completed_p import completed_p
from gdlab.scaling.learning_rate_law import LearningRateLaw, learning_rate_law
from gdlab.scaling.mup import mup
from gdlab.scaling.optimum import Optimum, fit_optimum
from gdlab.scaling.parametrization import LeafMultipliers, Parametrization
from gdlab.scaling.power_law import PowerLaw, Prediction, fit_power_law
from gdlab.scaling.standard import standard
from gdlab.scaling.transfer import Transfer

__all__ = [
    "LeafMultipliers",
    "LearningRateLaw",
    "Optimum",
    "Parametrization",
    "PowerLaw",
    "Prediction",
    "Transfer",
    "completed_p",
    "fit_optimum",
    "fit_power_law",
    "learning_rate_law",
    "mup",
    "standard",
]

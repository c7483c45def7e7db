"""Hyperparameters across model sizes: parametrisations, coordinate checks, and scaling laws."""

from gdlab.scaling.coordinates.coordinate_check import CoordinateCheck, Slope, coordinate_check
from gdlab.scaling.laws.learning_rate_law import LearningRateLaw, learning_rate_law
from gdlab.scaling.laws.optimum import Optimum, fit_optimum
from gdlab.scaling.laws.power_law import PowerLaw, Prediction, fit_power_law
from gdlab.scaling.laws.transfer import Transfer
from gdlab.scaling.parametrizations.completed_p import completed_p
from gdlab.scaling.parametrizations.mup import mup
from gdlab.scaling.parametrizations.parametrization import LeafMultipliers, Parametrization
from gdlab.scaling.parametrizations.standard import standard

__all__ = [
    "CoordinateCheck",
    "LeafMultipliers",
    "LearningRateLaw",
    "Optimum",
    "Parametrization",
    "PowerLaw",
    "Prediction",
    "Slope",
    "Transfer",
    "completed_p",
    "coordinate_check",
    "fit_optimum",
    "fit_power_law",
    "learning_rate_law",
    "mup",
    "standard",
]

"""Pictures: arrays in, matplotlib axes out.

A picture stands in a folder below, in the module of its name.
"""

from gdlab.plots.analysis.circuit import circuit_response
from gdlab.plots.analysis.error_by_mode import error_by_mode
from gdlab.plots.analysis.expected_loss import expected_loss
from gdlab.plots.analysis.frequency_response import frequency_response
from gdlab.plots.analysis.landscape import landscape, landscape_surface, landscapes
from gdlab.plots.analysis.mode_factors import mode_factors
from gdlab.plots.analysis.poles import poles
from gdlab.plots.analysis.regimes import regimes
from gdlab.plots.analysis.response import response
from gdlab.plots.analysis.root_locus import root_locus
from gdlab.plots.analysis.sharpness import sharpness
from gdlab.plots.analysis.spectral_density import spectral_density
from gdlab.plots.analysis.three_regimes import three_regimes
from gdlab.plots.diagrams.block_diagram import block_diagram
from gdlab.plots.networks.filters import filters
from gdlab.plots.networks.network import network
from gdlab.plots.networks.shift_response import shift_response
from gdlab.plots.signals.averages import averages
from gdlab.plots.signals.schedules import schedules
from gdlab.plots.signals.step_sizes import step_sizes
from gdlab.plots.trajectories.contours import contours
from gdlab.plots.trajectories.losses import losses
from gdlab.plots.trajectories.race import Race, race
from gdlab.plots.trajectories.step_vectors import step_vectors

__all__ = [
    "Race",
    "averages",
    "block_diagram",
    "circuit_response",
    "contours",
    "error_by_mode",
    "expected_loss",
    "filters",
    "frequency_response",
    "landscape",
    "landscape_surface",
    "landscapes",
    "losses",
    "mode_factors",
    "network",
    "poles",
    "race",
    "regimes",
    "response",
    "root_locus",
    "schedules",
    "sharpness",
    "shift_response",
    "spectral_density",
    "step_sizes",
    "step_vectors",
    "three_regimes",
]

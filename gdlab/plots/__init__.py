"""Pictures: arrays in, matplotlib axes out."""

from gdlab.plots.error_by_mode import plot_error_by_mode
from gdlab.plots.frequency_response import plot_frequency_response
from gdlab.plots.mode_factors import plot_mode_factors
from gdlab.plots.poles import plot_poles
from gdlab.plots.regimes import plot_regimes
from gdlab.plots.response import plot_response
from gdlab.plots.root_locus import plot_root_locus
from gdlab.plots.sharpness import plot_sharpness
from gdlab.plots.spectral_density import plot_spectral_density
from gdlab.plots.three_regimes import plot_three_regimes

__all__ = [
    "plot_error_by_mode",
    "plot_frequency_response",
    "plot_mode_factors",
    "plot_poles",
    "plot_regimes",
    "plot_response",
    "plot_root_locus",
    "plot_sharpness",
    "plot_spectral_density",
    "plot_three_regimes",
]

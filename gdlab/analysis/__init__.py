"""What an optimizer does, worked out: analysis of methods, of losses and of their meeting."""

from gdlab.analysis.circuits import Circuit, circuit
from gdlab.analysis.comparison import RunComparison, SweepComparison, compare
from gdlab.analysis.conventions import convert
from gdlab.analysis.critical_points import classify_critical_point
from gdlab.analysis.density import SpectralDensity, spectral_density
from gdlab.analysis.eigenpairs import Eigenpairs, hessian_eigenpairs
from gdlab.analysis.estimators import Estimate, hessian_diagonal, hessian_trace
from gdlab.analysis.filters import (
    FrequencyResponse,
    averaging_window,
    cutoff_frequency,
    dc_gain,
    frequency_response,
    half_life,
    impulse_response,
    noise_gain,
    step_response,
)
from gdlab.analysis.fisher import empirical_fisher_vector_product
from gdlab.analysis.flows import gradient_flow, heavy_ball_flow
from gdlab.analysis.gauss_newton import gauss_newton_vector_product
from gdlab.analysis.hessian import hessian_vector_product
from gdlab.analysis.largest_curvature import Sharpness, follow_sharpness, sharpness
from gdlab.analysis.learning_rate_finder import LearningRates, find_learning_rate
from gdlab.analysis.linearization import Linearization, linearize
from gdlab.analysis.newton import newton_step
from gdlab.analysis.noise import ExpectedLoss, expected_loss, stationary_variance
from gdlab.analysis.preconditioned import preconditioned_sharpness
from gdlab.analysis.regimes import RegimeMap, regime_map
from gdlab.analysis.root_locus import RootLocus, root_locus
from gdlab.analysis.stability import sharpness_limit, stable_range
from gdlab.analysis.tracking import Tracked, track
from gdlab.analysis.tuning import best_hyperparameters, rate

__all__ = [
    "Circuit",
    "Eigenpairs",
    "Estimate",
    "ExpectedLoss",
    "FrequencyResponse",
    "LearningRates",
    "Linearization",
    "RegimeMap",
    "RootLocus",
    "RunComparison",
    "Sharpness",
    "SpectralDensity",
    "SweepComparison",
    "Tracked",
    "averaging_window",
    "best_hyperparameters",
    "circuit",
    "classify_critical_point",
    "compare",
    "convert",
    "cutoff_frequency",
    "dc_gain",
    "empirical_fisher_vector_product",
    "expected_loss",
    "find_learning_rate",
    "follow_sharpness",
    "frequency_response",
    "gauss_newton_vector_product",
    "gradient_flow",
    "half_life",
    "heavy_ball_flow",
    "hessian_diagonal",
    "hessian_eigenpairs",
    "hessian_trace",
    "hessian_vector_product",
    "impulse_response",
    "linearize",
    "newton_step",
    "noise_gain",
    "preconditioned_sharpness",
    "rate",
    "regime_map",
    "root_locus",
    "sharpness",
    "sharpness_limit",
    "spectral_density",
    "stable_range",
    "stationary_variance",
    "step_response",
    "track",
]

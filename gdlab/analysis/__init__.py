"""The analysis of optimizers and losses, computed from the code that trains.

``linear`` treats an optimizer near a minimum as a linear system, ``curvature`` and
``landscapes`` examine a loss, and ``runs`` examines an optimizer and a loss together.
"""

from gdlab.analysis.curvature.critical_points import classify_critical_point
from gdlab.analysis.curvature.density import SpectralDensity, spectral_density
from gdlab.analysis.curvature.eigenpairs import Eigenpairs, hessian_eigenpairs
from gdlab.analysis.curvature.estimators import Estimate, hessian_diagonal, hessian_trace
from gdlab.analysis.curvature.fisher import empirical_fisher_vector_product
from gdlab.analysis.curvature.gauss_newton import gauss_newton_vector_product
from gdlab.analysis.curvature.hessian import hessian_vector_product
from gdlab.analysis.curvature.newton import newton_step
from gdlab.analysis.curvature.sharpness import Sharpness, follow_sharpness, sharpness
from gdlab.analysis.landscapes.landscape import Landscape, landscape
from gdlab.analysis.linear.circuits import Circuit, circuit
from gdlab.analysis.linear.conventions import convert
from gdlab.analysis.linear.filters import (
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
from gdlab.analysis.linear.flows import gradient_flow, heavy_ball_flow
from gdlab.analysis.linear.linearization import Linearization, linearize
from gdlab.analysis.linear.noise import ExpectedLoss, expected_loss, stationary_variance
from gdlab.analysis.linear.regimes import RegimeMap, regime_map
from gdlab.analysis.linear.root_locus import RootLocus, root_locus
from gdlab.analysis.linear.stability import sharpness_limit, stable_range
from gdlab.analysis.linear.tuning import best_hyperparameters, rate
from gdlab.analysis.runs.comparison import RunComparison, SweepComparison, compare
from gdlab.analysis.runs.learning_rate_finder import LearningRates, find_learning_rate
from gdlab.analysis.runs.preconditioned import preconditioned_sharpness
from gdlab.analysis.runs.tracking import Tracked, track

__all__ = [
    "Circuit",
    "Eigenpairs",
    "Estimate",
    "ExpectedLoss",
    "FrequencyResponse",
    "Landscape",
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
    "landscape",
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

"""What an optimizer does, worked out: analysis of methods, of losses and of their meeting."""

from gdlab.analysis.critical_points import classify_critical_point
from gdlab.analysis.density import SpectralDensity, spectral_density
from gdlab.analysis.eigenpairs import Eigenpairs, hessian_eigenpairs
from gdlab.analysis.estimators import Estimate, hessian_diagonal, hessian_trace
from gdlab.analysis.fisher import empirical_fisher_vector_product
from gdlab.analysis.gauss_newton import gauss_newton_vector_product
from gdlab.analysis.hessian import hessian_vector_product
from gdlab.analysis.learning_rate_finder import LearningRates, find_learning_rate
from gdlab.analysis.linearization import Linearization, linearize
from gdlab.analysis.newton import newton_step
from gdlab.analysis.regimes import RegimeMap, regime_map
from gdlab.analysis.sharpness import Sharpness, follow_sharpness, sharpness
from gdlab.analysis.stability import sharpness_limit, stable_range
from gdlab.analysis.tuning import best_hyperparameters, rate

__all__ = [
    "Eigenpairs",
    "Estimate",
    "LearningRates",
    "Linearization",
    "RegimeMap",
    "Sharpness",
    "SpectralDensity",
    "best_hyperparameters",
    "classify_critical_point",
    "empirical_fisher_vector_product",
    "find_learning_rate",
    "follow_sharpness",
    "gauss_newton_vector_product",
    "hessian_diagonal",
    "hessian_eigenpairs",
    "hessian_trace",
    "hessian_vector_product",
    "linearize",
    "newton_step",
    "rate",
    "regime_map",
    "sharpness",
    "sharpness_limit",
    "spectral_density",
    "stable_range",
]

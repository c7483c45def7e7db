"""The public names: where each is defined, and the one list of them.

Type checkers read this file, and ``gdlab/__init__.py`` takes from it where a name is to be found.
"""

from gdlab import analysis as analysis
from gdlab import interop as interop
from gdlab import losses as losses
from gdlab import plots as plots
from gdlab import problems as problems
from gdlab import scaling as scaling
from gdlab.core.access import hyperparameters, set_hyperparameters
from gdlab.core.apply import apply_updates
from gdlab.core.apply_gradients import apply_gradients
from gdlab.core.authoring import Shared
from gdlab.core.axis import Axis
from gdlab.core.by_leaf import Labels, Mask, Structure, by_leaf
from gdlab.core.hyperparameter import Hyperparameter, array
from gdlab.core.joins import Join, bus, join
from gdlab.core.rarely import rarely
from gdlab.core.restoring import flatten_state, restore_state
from gdlab.core.scaled_by_leaf import scaled_by_leaf
from gdlab.core.schedule import Schedule, schedule
from gdlab.core.sharding import state_sharding
from gdlab.core.stacks import stacked_like, unstacked
from gdlab.core.state import (
    State,
    evaluation_params,
    find_slot,
)
from gdlab.core.transformation import (
    GradientTransformation,
    expand,
    foreign,
    leaf_wrapper,
    leafwise,
    transformation,
)
from gdlab.core.wiring import chain, fork, identity, named_chain, on_wires, wire
from gdlab.optimizers.adaptive.acprop import acprop, scale_by_acprop
from gdlab.optimizers.adaptive.adabelief import adabelief, scale_by_belief
from gdlab.optimizers.adaptive.adadelta import adadelta, scale_by_adadelta
from gdlab.optimizers.adaptive.adagrad import adagrad, full_matrix_adagrad, scale_by_full_rss
from gdlab.optimizers.adaptive.adam import adam, adamw, scale_by_adam
from gdlab.optimizers.adaptive.adam_atan2 import adam_atan2, arctangent
from gdlab.optimizers.adaptive.adamax import adamax, adamaxw, scale_by_adamax
from gdlab.optimizers.adaptive.adamc import adamc
from gdlab.optimizers.adaptive.adan import adan, scale_by_adan
from gdlab.optimizers.adaptive.ademamix import ademamix, half_life_warmup, scale_by_ademamix
from gdlab.optimizers.adaptive.adopt import adopt, scale_by_adopt
from gdlab.optimizers.adaptive.amos import amos
from gdlab.optimizers.adaptive.amsgrad import amsgrad, scale_by_amsgrad
from gdlab.optimizers.adaptive.ftrl import ftrl
from gdlab.optimizers.adaptive.grams import grams
from gdlab.optimizers.adaptive.lamb import lamb
from gdlab.optimizers.adaptive.laprop import laprop
from gdlab.optimizers.adaptive.madgrad import madgrad
from gdlab.optimizers.adaptive.mars import mars
from gdlab.optimizers.adaptive.nadam import dozat_momentum, nadam, nadamw
from gdlab.optimizers.adaptive.novograd import novograd, scale_by_novograd
from gdlab.optimizers.adaptive.optimistic_adam import optimistic_adam, optimistic_adam_v2
from gdlab.optimizers.adaptive.padam import padam
from gdlab.optimizers.adaptive.qhadam import qhadam
from gdlab.optimizers.adaptive.radam import radam, rectification, rectified, scale_by_radam
from gdlab.optimizers.adaptive.rmsprop import rmsprop
from gdlab.optimizers.adaptive.simplified_ademamix import (
    scale_by_simplified_ademamix,
    simplified_ademamix,
)
from gdlab.optimizers.adaptive.sparse_adam import sparse_adam
from gdlab.optimizers.adaptive.stable_adamw import shortened, stable_adamw
from gdlab.optimizers.adaptive.yogi import additive_moment, scale_by_yogi, yogi
from gdlab.optimizers.curvature.adahessian import adahessian, spatial_mean
from gdlab.optimizers.curvature.gauss_newton import gauss_newton, scale_by_gauss_newton
from gdlab.optimizers.curvature.lbfgs import lbfgs, scale_by_lbfgs
from gdlab.optimizers.curvature.levenberg_marquardt import levenberg_marquardt
from gdlab.optimizers.curvature.newton_cg import newton_cg, scale_by_truncated_newton
from gdlab.optimizers.curvature.nonlinear_cg import nonlinear_cg
from gdlab.optimizers.curvature.sophia import sophia
from gdlab.optimizers.curvature.trust_region import trust_region
from gdlab.optimizers.kronecker.caspr import caspr
from gdlab.optimizers.kronecker.kl_shampoo import kl_shampoo
from gdlab.optimizers.kronecker.kron import kron, kron_update_probability
from gdlab.optimizers.kronecker.shampoo import shampoo
from gdlab.optimizers.kronecker.soap import scale_by_soap, soap
from gdlab.optimizers.kronecker.splus import scale_by_mean_dimension, splus
from gdlab.optimizers.matrix.adago import adago
from gdlab.optimizers.matrix.adamuon import adamuon
from gdlab.optimizers.matrix.dion import dion
from gdlab.optimizers.matrix.hyperball import hyperball
from gdlab.optimizers.matrix.muon import muon, scale_by_muon
from gdlab.optimizers.matrix.normuon import normuon
from gdlab.optimizers.matrix.scion import scion
from gdlab.optimizers.memory_light.adafactor import adafactor
from gdlab.optimizers.memory_light.adam_mini import adam_mini
from gdlab.optimizers.memory_light.apollo import apollo
from gdlab.optimizers.memory_light.came import came
from gdlab.optimizers.memory_light.galore import galore
from gdlab.optimizers.memory_light.sm3 import sm3
from gdlab.optimizers.momentum.accsgd import accsgd, pull_towards_long_steps
from gdlab.optimizers.momentum.aggmo import aggmo
from gdlab.optimizers.momentum.alig import alig
from gdlab.optimizers.momentum.asgd import asgd, bottou_decay
from gdlab.optimizers.momentum.fromage import compensate_growth, fromage
from gdlab.optimizers.momentum.lars import lars, scale_by_lars
from gdlab.optimizers.momentum.noisy_sgd import noisy_sgd
from gdlab.optimizers.momentum.optimistic import (
    optimistic_gradient_descent,
    scale_by_optimistic_gradient,
)
from gdlab.optimizers.momentum.pnm import pnm, scale_by_pnm
from gdlab.optimizers.momentum.polyak_sgd import polyak_sgd, scale_by_polyak
from gdlab.optimizers.momentum.qhm import qhm
from gdlab.optimizers.momentum.sgd import nesterov, sgd
from gdlab.optimizers.outer.diloco import diloco
from gdlab.optimizers.outer.ema_nesterov import ema_nesterov
from gdlab.optimizers.privacy.dpsgd import dpsgd
from gdlab.optimizers.sharpness.asam import asam
from gdlab.optimizers.sharpness.friendly_sam import friendly_sam
from gdlab.optimizers.sharpness.gsam import close_surrogate_gap, gsam
from gdlab.optimizers.sharpness.looksam import looksam, reuse_vertical
from gdlab.optimizers.sharpness.msam import msam
from gdlab.optimizers.sharpness.sam import sam
from gdlab.optimizers.sharpness.wsam import weighted_sharpness, wsam
from gdlab.optimizers.sign.lion import lion, scale_by_lion
from gdlab.optimizers.sign.rprop import rprop, scale_by_rprop
from gdlab.optimizers.sign.sign_sgd import sign_sgd, signum
from gdlab.optimizers.tuning_free.adamg import adamg, scale_by_adamg
from gdlab.optimizers.tuning_free.bcos import bcos, conditional_ratio
from gdlab.optimizers.tuning_free.cocob import cocob, coin_betting, scale_by_cocob
from gdlab.optimizers.tuning_free.dadapt_adagrad import dadapt_adagrad, scale_by_dadapt_adagrad
from gdlab.optimizers.tuning_free.dadapt_adam import dadapt_adam, dadapt_adamw
from gdlab.optimizers.tuning_free.dadapt_adan import dadapt_adan
from gdlab.optimizers.tuning_free.dadapt_lion import dadapt_lion
from gdlab.optimizers.tuning_free.dadapt_sgd import dadapt_sgd, scale_by_dadapt_sgd
from gdlab.optimizers.tuning_free.dog import dog, polynomial_averaging, scale_by_dog
from gdlab.optimizers.tuning_free.dowg import dowg, scale_by_dowg
from gdlab.optimizers.tuning_free.kate import kate, scale_by_kate
from gdlab.optimizers.tuning_free.ldog import ldog, scale_by_distance_over_gradients
from gdlab.optimizers.tuning_free.mechanize import mechanize
from gdlab.optimizers.tuning_free.momo import momo
from gdlab.optimizers.tuning_free.momo_adam import momo_adam
from gdlab.optimizers.tuning_free.prodigy import prodigy
from gdlab.optimizers.tuning_free.schedule_free import schedule_free
from gdlab.optimizers.tuning_free.schedule_free_adamw import schedule_free_adamw
from gdlab.optimizers.tuning_free.schedule_free_sgd import schedule_free_sgd
from gdlab.optimizers.tuning_free.trac import trac
from gdlab.page.exercise import Exercise, exercise
from gdlab.page.explore import explore
from gdlab.page.page import Page
from gdlab.page.training import explore_training
from gdlab.schedules import (
    at_most_inverse_root,
    chebyshev_schedule,
    constant_schedule,
    cosine_decay_restarts_schedule,
    cosine_decay_schedule,
    cosine_onecycle_schedule,
    cyclic_schedule,
    exponential_decay,
    inverse_time_decay,
    join_schedules,
    linear_onecycle_schedule,
    linear_schedule,
    multiply_schedules,
    periodic_cosine_schedule,
    piecewise_constant_schedule,
    piecewise_interpolate_schedule,
    polynomial_schedule,
    power_schedule,
    proportional_schedule,
    repeat_schedule,
    rex_schedule,
    sgdr_schedule,
    warmed_up,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
    warmup_inverse_sqrt_decay_schedule,
    warmup_stable_decay_schedule,
)
from gdlab.schedules.power_of_count import power_of_count
from gdlab.sweeps import (
    Checkpointing,
    Hyperband,
    Patience,
    PopulationBasedTraining,
    Resources,
    Stopping,
    SuccessiveHalving,
    SweepResult,
    map_axes,
    optimize_study,
)
from gdlab.sweeps.proposals.proposer import GaussianProcess
from gdlab.sweeps.refine import refine
from gdlab.sweeps.refinement.outcome import Refinement
from gdlab.sweeps.report.report import SweepReport, sweep_report
from gdlab.sweeps.sweep import sweep
from gdlab.training import EpochSampler, Outcome, Trajectory, minibatches
from gdlab.training.minimize import minimize
from gdlab.transforms.averages.averaging import ema, nesterov_ema
from gdlab.transforms.averages.belief import belief
from gdlab.transforms.averages.covers import scale_by_sm3, sum_by_covers
from gdlab.transforms.averages.debiasing import bias_correction, debias, divide_by_weight
from gdlab.transforms.averages.factored import factored_decay, factored_ema, scale_by_factored_rms
from gdlab.transforms.averages.first_value import from_first
from gdlab.transforms.averages.maxima import infinity_norm, running_maximum
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.averages.moving_average import moving_average
from gdlab.transforms.averages.rms import scale_by_rms
from gdlab.transforms.averages.rss import scale_by_rss, sum_of_squares
from gdlab.transforms.averages.stddev import scale_by_stddev, variance
from gdlab.transforms.averages.touched_rows import where_touched
from gdlab.transforms.groups.freezing import freeze, selective_transform, set_to_zero
from gdlab.transforms.groups.layouts import flatten, split_real_and_imaginary
from gdlab.transforms.groups.masking import masked, partition
from gdlab.transforms.groups.stacking import stacked
from gdlab.transforms.line_search.backtracking import scale_by_backtracking_linesearch
from gdlab.transforms.line_search.zoom import scale_by_zoom_linesearch
from gdlab.transforms.matrices.eigenbasis import in_eigenbasis
from gdlab.transforms.matrices.kl_factors import scale_by_kl_factors
from gdlab.transforms.matrices.kronecker_roots import scale_by_kronecker_roots
from gdlab.transforms.matrices.low_rank import orthogonalize_low_rank
from gdlab.transforms.matrices.orthogonalization import orthogonalize, scale_by_shape
from gdlab.transforms.matrices.subspace import (
    gaussian_rows,
    in_subspace,
    scale_from_subspace,
    singular_vectors,
)
from gdlab.transforms.matrices.whitening import scale_by_kron
from gdlab.transforms.norms.adaptive_clipping import adaptive_grad_clip, unitwise_clip
from gdlab.transforms.norms.clipping import (
    clip,
    clip_by_block_rms,
    clip_by_global_norm,
    clip_by_norm,
)
from gdlab.transforms.norms.matrix_norms import (
    grafted_matrices,
    matrix_norm,
    mean_over_inputs,
    scale_to_rms,
)
from gdlab.transforms.norms.norm_growth import limit_norm_growth
from gdlab.transforms.norms.normalizing import normalize, normalize_by_update_norm
from gdlab.transforms.norms.norms import global_norm, unitwise_norm
from gdlab.transforms.norms.spheres import descend_on_sphere, radial_brake
from gdlab.transforms.norms.steepest import steepest
from gdlab.transforms.norms.trust_ratio import (
    scale_by_param_block_norm,
    scale_by_param_block_rms,
    scale_by_trust_ratio,
)
from gdlab.transforms.parameters.decay import (
    add_decayed_weights,
    decay_weights,
    descend_with_corrected_decay,
    matrices,
)
from gdlab.transforms.parameters.dual_averaging import cube_ratio, scale_by_madgrad
from gdlab.transforms.parameters.from_start import from_start
from gdlab.transforms.parameters.model_scale import descend_by_amos, expected_scales
from gdlab.transforms.parameters.parameter_average import params_ema
from gdlab.transforms.parameters.projection import (
    keep_params_nonnegative,
    project_onto_box,
    project_params,
)
from gdlab.transforms.parameters.proximal_decay import descend_with_proximal_decay
from gdlab.transforms.parameters.slow_weights import lookahead, slow_weights
from gdlab.transforms.parameters.snapshots import params_mean, params_window_mean
from gdlab.transforms.parameters.training_ahead import train_ahead
from gdlab.transforms.probes.ascent import adaptive_ascent, ascent, scale_by_magnitude
from gdlab.transforms.probes.conjugate_direction import conjugate_direction
from gdlab.transforms.probes.gradient_at import gradient_at
from gdlab.transforms.probes.hutchinson import hutchinson
from gdlab.transforms.probes.lookahead import look_ahead
from gdlab.transforms.probes.residuals import half_squares
from gdlab.transforms.signals.blocks import mean_over_block
from gdlab.transforms.signals.cautious import cautious
from gdlab.transforms.signals.centering import centralize
from gdlab.transforms.signals.delays import delay, difference
from gdlab.transforms.signals.functions import stateless, stateless_with_tree_map
from gdlab.transforms.signals.grafting import grafted
from gdlab.transforms.signals.joins import (
    agreeing,
    interpolate,
    over_maximum,
    power_ratio,
    signed_like,
    weighted_sum,
)
from gdlab.transforms.signals.nans import zero_nans
from gdlab.transforms.signals.noise import add_noise
from gdlab.transforms.signals.pointwise import scale_by_sign, shift
from gdlab.transforms.signals.privacy import (
    differentially_private_aggregate,
    per_example_global_norm_clip,
    per_example_layer_norm_clip,
)
from gdlab.transforms.signals.ratios import quotient, ratio, square
from gdlab.transforms.signals.reductions import mean_over, outer_over_mean, sum_over
from gdlab.transforms.signals.scaling import scale, scale_by_learning_rate, scale_by_schedule
from gdlab.transforms.signals.switching import from_step, switch
from gdlab.transforms.signals.variance_reduction import (
    extrapolated,
    previous_gradient,
    reduce_variance,
)
from gdlab.transforms.steps.accumulation import accumulate, apply_every
from gdlab.transforms.steps.conditional import conditionally_mask, conditionally_transform
from gdlab.transforms.steps.guarding import apply_if_finite
from gdlab.transforms.steps.holding import hold
from gdlab.transforms.steps.monitoring import measure_with_ema, monitor, snapshot
from gdlab.transforms.steps.outliers import above, beyond_median, beyond_sigmas, skip_outliers
from gdlab.transforms.steps.plateau import reduce_on_plateau
from gdlab.transforms.steps.waiting import wait
from gdlab.transforms.storage.formats import BFloat16Format, Int8Format
from gdlab.transforms.storage.kahan_params import kahan_params
from gdlab.transforms.storage.master_params import master_params
from gdlab.transforms.storage.split_params import split_params
from gdlab.transforms.storage.state_bytes import StateBytes, state_bytes
from gdlab.transforms.storage.stochastic_params import stochastic_params
from gdlab.transforms.storage.stored import stored, stored_slots

__version__: str

__all__ = [
    "Axis",
    "BFloat16Format",
    "Checkpointing",
    "EpochSampler",
    "Exercise",
    "GaussianProcess",
    "GradientTransformation",
    "Hyperband",
    "Hyperparameter",
    "Int8Format",
    "Join",
    "Labels",
    "Mask",
    "Outcome",
    "Page",
    "Patience",
    "PopulationBasedTraining",
    "Refinement",
    "Resources",
    "Schedule",
    "Shared",
    "State",
    "StateBytes",
    "Stopping",
    "Structure",
    "SuccessiveHalving",
    "SweepReport",
    "SweepResult",
    "Trajectory",
    "above",
    "accsgd",
    "accumulate",
    "acprop",
    "adabelief",
    "adadelta",
    "adafactor",
    "adago",
    "adagrad",
    "adahessian",
    "adam",
    "adam_atan2",
    "adam_mini",
    "adamax",
    "adamaxw",
    "adamc",
    "adamg",
    "adamuon",
    "adamw",
    "adan",
    "adaptive_ascent",
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_noise",
    "additive_moment",
    "ademamix",
    "adopt",
    "aggmo",
    "agreeing",
    "alig",
    "amos",
    "amsgrad",
    "apollo",
    "apply_every",
    "apply_gradients",
    "apply_if_finite",
    "apply_updates",
    "arctangent",
    "array",
    "asam",
    "ascent",
    "asgd",
    "at_most_inverse_root",
    "bcos",
    "belief",
    "beyond_median",
    "beyond_sigmas",
    "bias_correction",
    "bottou_decay",
    "bus",
    "by_leaf",
    "came",
    "caspr",
    "cautious",
    "centralize",
    "chain",
    "chebyshev_schedule",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "clip_by_norm",
    "close_surrogate_gap",
    "cocob",
    "coin_betting",
    "compensate_growth",
    "conditional_ratio",
    "conditionally_mask",
    "conditionally_transform",
    "conjugate_direction",
    "constant_schedule",
    "cosine_decay_restarts_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "cube_ratio",
    "cyclic_schedule",
    "dadapt_adagrad",
    "dadapt_adam",
    "dadapt_adamw",
    "dadapt_adan",
    "dadapt_lion",
    "dadapt_sgd",
    "debias",
    "decay_weights",
    "delay",
    "descend_by_amos",
    "descend_on_sphere",
    "descend_with_corrected_decay",
    "descend_with_proximal_decay",
    "difference",
    "differentially_private_aggregate",
    "diloco",
    "dion",
    "divide_by_weight",
    "dog",
    "dowg",
    "dozat_momentum",
    "dpsgd",
    "ema",
    "ema_nesterov",
    "evaluation_params",
    "exercise",
    "expand",
    "expected_scales",
    "explore",
    "explore_training",
    "exponential_decay",
    "extrapolated",
    "factored_decay",
    "factored_ema",
    "find_slot",
    "flatten",
    "flatten_state",
    "foreign",
    "fork",
    "freeze",
    "friendly_sam",
    "from_first",
    "from_start",
    "from_step",
    "fromage",
    "ftrl",
    "full_matrix_adagrad",
    "galore",
    "gauss_newton",
    "gaussian_rows",
    "global_norm",
    "gradient_at",
    "grafted",
    "grafted_matrices",
    "grams",
    "gsam",
    "half_life_warmup",
    "half_squares",
    "hold",
    "hutchinson",
    "hyperball",
    "hyperparameters",
    "identity",
    "in_eigenbasis",
    "in_subspace",
    "infinity_norm",
    "interpolate",
    "inverse_time_decay",
    "join",
    "join_schedules",
    "kahan_params",
    "kate",
    "keep_params_nonnegative",
    "kl_shampoo",
    "kron",
    "kron_update_probability",
    "lamb",
    "laprop",
    "lars",
    "lbfgs",
    "ldog",
    "leaf_wrapper",
    "leafwise",
    "levenberg_marquardt",
    "limit_norm_growth",
    "linear_onecycle_schedule",
    "linear_schedule",
    "lion",
    "look_ahead",
    "lookahead",
    "looksam",
    "madgrad",
    "map_axes",
    "mars",
    "masked",
    "master_params",
    "matrices",
    "matrix_norm",
    "mean_over",
    "mean_over_block",
    "mean_over_inputs",
    "measure_with_ema",
    "mechanize",
    "minibatches",
    "minimize",
    "momo",
    "momo_adam",
    "monitor",
    "moving_average",
    "msam",
    "multiply_schedules",
    "muon",
    "nadam",
    "nadamw",
    "named_chain",
    "nesterov",
    "nesterov_ema",
    "newton_cg",
    "noisy_sgd",
    "nonlinear_cg",
    "normalize",
    "normalize_by_update_norm",
    "normuon",
    "novograd",
    "on_wires",
    "optimistic_adam",
    "optimistic_adam_v2",
    "optimistic_gradient_descent",
    "optimize_study",
    "orthogonalize",
    "orthogonalize_low_rank",
    "outer_over_mean",
    "over_maximum",
    "padam",
    "params_ema",
    "params_mean",
    "params_window_mean",
    "partition",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "periodic_cosine_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "pnm",
    "polyak_sgd",
    "polynomial_averaging",
    "polynomial_schedule",
    "power_of_count",
    "power_ratio",
    "power_schedule",
    "previous_gradient",
    "prodigy",
    "project_onto_box",
    "project_params",
    "proportional_schedule",
    "pull_towards_long_steps",
    "qhadam",
    "qhm",
    "quotient",
    "radam",
    "radial_brake",
    "rarely",
    "ratio",
    "rectification",
    "rectified",
    "reduce_on_plateau",
    "reduce_variance",
    "refine",
    "repeat_schedule",
    "restore_state",
    "reuse_vertical",
    "rex_schedule",
    "rmsprop",
    "rprop",
    "running_maximum",
    "sam",
    "scale",
    "scale_by_acprop",
    "scale_by_adadelta",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_adamg",
    "scale_by_adan",
    "scale_by_ademamix",
    "scale_by_adopt",
    "scale_by_amsgrad",
    "scale_by_backtracking_linesearch",
    "scale_by_belief",
    "scale_by_cocob",
    "scale_by_dadapt_adagrad",
    "scale_by_dadapt_sgd",
    "scale_by_distance_over_gradients",
    "scale_by_dog",
    "scale_by_dowg",
    "scale_by_factored_rms",
    "scale_by_full_rss",
    "scale_by_gauss_newton",
    "scale_by_kate",
    "scale_by_kl_factors",
    "scale_by_kron",
    "scale_by_kronecker_roots",
    "scale_by_lars",
    "scale_by_lbfgs",
    "scale_by_learning_rate",
    "scale_by_lion",
    "scale_by_madgrad",
    "scale_by_magnitude",
    "scale_by_mean_dimension",
    "scale_by_muon",
    "scale_by_novograd",
    "scale_by_optimistic_gradient",
    "scale_by_param_block_norm",
    "scale_by_param_block_rms",
    "scale_by_pnm",
    "scale_by_polyak",
    "scale_by_radam",
    "scale_by_rms",
    "scale_by_rprop",
    "scale_by_rss",
    "scale_by_schedule",
    "scale_by_shape",
    "scale_by_sign",
    "scale_by_simplified_ademamix",
    "scale_by_sm3",
    "scale_by_soap",
    "scale_by_stddev",
    "scale_by_truncated_newton",
    "scale_by_trust_ratio",
    "scale_by_yogi",
    "scale_by_zoom_linesearch",
    "scale_from_subspace",
    "scale_to_rms",
    "scaled_by_leaf",
    "schedule",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "scion",
    "selective_transform",
    "set_hyperparameters",
    "set_to_zero",
    "sgd",
    "sgdr_schedule",
    "shampoo",
    "shift",
    "shortened",
    "sign_sgd",
    "signed_like",
    "signum",
    "simplified_ademamix",
    "singular_vectors",
    "skip_outliers",
    "slow_weights",
    "sm3",
    "snapshot",
    "soap",
    "sophia",
    "sparse_adam",
    "spatial_mean",
    "split_params",
    "split_real_and_imaginary",
    "splus",
    "square",
    "stable_adamw",
    "stacked",
    "stacked_like",
    "state_bytes",
    "state_sharding",
    "stateless",
    "stateless_with_tree_map",
    "steepest",
    "stochastic_params",
    "stored",
    "stored_slots",
    "sum_by_covers",
    "sum_of_squares",
    "sum_over",
    "sweep",
    "sweep_report",
    "switch",
    "trac",
    "trace",
    "train_ahead",
    "transformation",
    "trust_region",
    "unitwise_clip",
    "unitwise_norm",
    "unstacked",
    "variance",
    "wait",
    "warmed_up",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
    "warmup_inverse_sqrt_decay_schedule",
    "warmup_stable_decay_schedule",
    "weighted_sharpness",
    "weighted_sum",
    "where_touched",
    "wire",
    "wsam",
    "yogi",
    "zero_nans",
]

"""The default of each number is that of optax, of the paper, or of who else has the method.

Where optax has the function its default counts, then that of the paper's transcription. What
neither has, or has otherwise, is written down here with its source, and a part has the default of
its method. A few numbers nobody else has.
"""

import inspect
import re
from typing import Any

import optax
import pytest

import gdlab
from tests.oracles import METHODS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # optax's, of older names

QUINTIC = (3.4445, -4.7750, 2.0315)
"""The coefficients of K. Jordan, Muon: an optimizer for hidden layers in neural networks, 2024."""
NEWTON_SCHULZ = {"ns_coeffs": QUINTIC, "ns_steps": 5}
ADAM_BESIDE = {"adam_b1": 0.9, "adam_b2": 0.999, "adam_weight_decay": 0.0}
"""The numbers of the method beside Muon in ``optax.contrib.muon``."""

FROM_ELSEWHERE: dict[str, dict[str, Any]] = {
    # pytorch_optimizer, where some have other names, or the code of the authors that it follows
    "accsgd": {"constant": 0.7},
    "adago": {
        **NEWTON_SCHULZ,
        **ADAM_BESIDE,
        "beta": 0.95,
        "gamma": 10.0,
        "eps": 5e-4,
        "initial_accumulator_value": 1e-6,
        "adam_eps": 1e-8,
    },
    "adahessian": {"update_interval": 1},
    "adamg": {"learning_rate": 1.0, "eps": 1e-8},
    "amos": {"beta": 0.999, "c_coef": 0.25, "d_coef": 0.25, "eps": 1e-18},
    "apollo": {
        "b1": 0.9,
        "b2": 0.999,
        "eps": 1e-8,
        "update_proj_gap": 200,
        "scale": 1.0,
        "max_growth": 1.01,
    },
    "bcos": {"learning_rate": 0.001},
    "came": {
        "eps": 1e-30,
        "eps_residual": 1e-16,
        "clipping_threshold": 1.0,
        "min_dim_size_to_factor": 1,  # every matrix is factored
    },
    "dadapt_adagrad": {
        "learning_rate": 1.0,
        "estim_lr0": 1e-6,
        "initial_accumulator_value": 1e-6,
    },
    "dadapt_adam": {"learning_rate": 1.0, "betas": (0.9, 0.999), "estim_lr0": 1e-6},
    "dadapt_adan": {"learning_rate": 1.0, "betas": (0.98, 0.92, 0.99), "estim_lr0": 1e-6},
    "dadapt_lion": {"learning_rate": 1.0, "betas": (0.9, 0.99), "estim_lr0": 1e-6},
    "dadapt_sgd": {"learning_rate": 1.0, "estim_lr0": 1e-6},
    "galore": {"scale": 0.25},
    "kate": {"eps": 0.0},  # the paper has none
    "kron": {
        "max_size_triangular": 8192,
        "min_ndim_triangular": 2,
        "preconditioner_lr": 0.1,
        "preconditioner_init_scale": 1.0,
    },
    "kron_update_probability": {
        "max_prob": 1.0,
        "min_prob": 0.03,
        "decay": 0.001,
        "flat_start": 500,
    },
    "ldog": {"learning_rate": 1.0, "reps_rel": 1e-6},
    "mars": {"max_norm": 1.0, "adam_b1": 0.9, "adam_b2": 0.95, "adam_weight_decay": 0.1},
    "soap": {"max_dim": 10_000},
    "splus": {"average_decay": 0.999, "max_dim": 10_000},
    "unitwise_clip": {"div_eps": 1e-6},  # optax's, whose name is not public
    # PyTorch
    "adadelta": {"learning_rate": 1.0},
    "asgd": {"t0": 1e6},
    "cyclic_schedule": {"up_steps": 2000, "gamma": 1.0},
    "dozat_momentum": {"momentum_decay": 0.004, "steps_ahead": 0},
    # Keras
    "cosine_decay_restarts_schedule": {"t_mul": 2.0, "m_mul": 1.0, "alpha": 0.0},
    "ftrl": {
        "learning_rate_power": -0.5,
        "initial_accumulator_value": 0.1,
        "l1_regularization_strength": 0.0,
        "l2_regularization_strength": 0.0,
        "l2_shrinkage_regularization_strength": 0.0,
    },
    # SciPy: leastsq of MINPACK, whose factor it is, and minimize(method="trust-ncg")
    "levenberg_marquardt": {"initial_radius": 100.0},
    "trust_region": {"initial_radius": 1.0, "max_radius": 1000.0, "accept_ratio": 0.15},
    # The papers: Si et al. 2025 and Li et al. 2025, with Adam's ε; steps of RMS 0.2 are Adam's, too
    "adamuon": {
        **NEWTON_SCHULZ,
        **ADAM_BESIDE,
        "beta": 0.95,
        "beta2": 0.95,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "consistent_rms": 0.2,
    },
    "normuon": {
        **NEWTON_SCHULZ,
        **ADAM_BESIDE,
        "beta": 0.95,
        "beta2": 0.95,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "consistent_rms": 0.2,
    },
    # Chen et al. 2018, section 5; Zaheer et al. 2018, algorithm 2; Liang et al. 2024, algorithm 1
    "padam": {"partial": 1 / 8, "eps": 1e-8},
    "yogi": {"initial_accumulator_value": 0.0},
    "cautious": {"eps": 1.0},
    # Groeneveld et al. 2024 (OLMo) skip what is six standard deviations off, of 128 steps
    "beyond_sigmas": {"sigmas": 6.0},
    "skip_outliers": {"window": 128},
    # Chen et al. 2024 (Fira); Ivgi et al. 2023 on the average of Shamir and Zhang; Shen et al. 2024
    "limit_norm_growth": {"max_ratio": 1.01},
    "polynomial_averaging": {"gamma": 8.0},
    "power_schedule": {"power": -0.51},
    # Adam's and Muon's numbers beside another method or in it
    "dion": {**ADAM_BESIDE, "eps": 1e-8},
    "hyperball": {**ADAM_BESIDE, "adam_eps": 1e-8},
    "nesterov": {"momentum": 0.9},
    "scion": {**NEWTON_SCHULZ, "eps": 1e-8},
    "steepest": {**NEWTON_SCHULZ, "eps": 1e-8},
    "orthogonalize": {**NEWTON_SCHULZ, "eps": 1e-8},
    # The distributed Shampoo of PyTorch, whose max_preconditioner_dim it is
    "caspr": {"block_size": 1024},
    "shampoo": {"block_size": 1024},
    "kl_shampoo": {"block_size": 1024},
    # As in optax.adagrad
    "full_matrix_adagrad": {"eps": 1e-7},
    # Sums begin at 0, nothing waits, and work is due at each step, unless asked
    "additive_moment": {"initial_accumulator_value": 0.0},
    "sum_of_squares": {"initial_accumulator_value": 0.0},
    "params_mean": {"start": 0, "every": 1},
    "params_window_mean": {"start": 0, "every": 1},
    "rex_schedule": {"transition_begin": 0},
    "inverse_time_decay": {"transition_begin": 0},
    "scale_by_kl_factors": {"every": 1},
    "scale_by_kron": {"preconditioner_update_probability": 1.0},
    "sum_by_covers": {"b2": 1.0},  # optax.scale_by_sm3's
    "wait": {"steps": 1},
    "warmup_stable_decay_schedule": {"end_value": 0.0},
    # Parts whose methods call the number otherwise: of adafactor, soap, adopt, mars, asam, splus
    "factored_decay": {"step_offset": 0},
    "power_of_count": {"power": 0.25, "steps_ahead": 0},
    "in_eigenbasis": {"decay": 0.95},
    "reduce_variance": {"decay": 0.95},
    "scale_by_magnitude": {"eta": 0.01},
    "scale_by_mean_dimension": {"other": 0.001},
}
"""The defaults that neither optax nor a transcription has, or where gdlab departs from them."""

PART_OF = {
    "adaptive_ascent": "asam",
    "bottou_decay": "asgd",
    "close_surrogate_gap": "gsam",
    "coin_betting": "cocob",
    "descend_by_amos": "amos",
    "factored_decay": "adafactor",
    "factored_ema": "adafactor",
    "in_eigenbasis": "soap",
    "orthogonalize_low_rank": "dion",
    "pull_towards_long_steps": "accsgd",
    "rectification": "radam",
    "reduce_variance": "mars",
    "scale_by_full_rss": "full_matrix_adagrad",
    "scale_by_kl_factors": "kl_shampoo",
    "scale_by_kronecker_roots": "shampoo",
    "scale_by_truncated_newton": "newton_cg",
}
"""The methods of the parts whose names do not tell: ``scale_by_adam`` is a part of ``adam``."""

OWN = {
    "agreeing": {"eps"},
    "apollo": {"rank"},
    "beyond_median": {"factor"},
    "beyond_sigmas": {"least"},
    "dion": {"rank", "seed"},
    "from_start": {"momentum"},
    "in_eigenbasis": {"eps"},
    "in_subspace": {"every", "rank", "scale"},
    "kl_shampoo": {"eps"},
    "levenberg_marquardt": {"max_trials"},
    "newton_cg": {"forcing", "max_products"},
    "orthogonalize_low_rank": {"rank", "seed"},
    "outer_over_mean": {"axis"},
    "radial_brake": {"inward", "outward"},
    "scale_by_kl_factors": {"eps"},
    "scale_by_shape": {"at_least"},
    "scale_by_truncated_newton": {"forcing", "max_products"},
    "scale_from_subspace": {"every", "rank", "scale"},
    "split_params": {"bits"},
    "stacked": {"elements", "most"},
    "trust_region": {"max_products"},
}
"""Numbers that gdlab chose, so that another would be no mistake."""


def number(value: object) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    return bool(values) and all(type(one) in (int, float) for one in values)


def defaults(function: object) -> dict[str, Any]:
    return {p.name: p.default for p in inspect.signature(function).parameters.values()}


def numbers_of(name: str) -> dict[str, Any]:
    function = getattr(gdlab, name)
    home = getattr(function, "__module__", "")
    if isinstance(function, type) or not home.startswith(HOMES):
        return {}
    return {key: value for key, value in defaults(function).items() if number(value)}


HOMES = ("gdlab.optimizers", "gdlab.transforms", "gdlab.schedules")
NUMBERS = {name: found for name in gdlab.__all__ if (found := numbers_of(name))}
TRANSCRIPTIONS: dict[str, list[dict[str, Any]]] = {}
for convention, method in METHODS.items():
    paper = method.paper
    while hasattr(paper, "func"):
        paper = paper.func
    TRANSCRIPTIONS.setdefault(re.match(r"\w+", convention).group(), []).append(defaults(paper))


def candidates(name: str, argument: str) -> list[Any]:
    """The defaults of those who have one, the most trusted first."""
    theirs = getattr(optax, name, None) or getattr(optax.contrib, name, None)
    method = PART_OF.get(name, name.removeprefix("scale_by_"))
    return [
        FROM_ELSEWHERE.get(name, {}).get(argument),
        FROM_ELSEWHERE.get(method, {}).get(argument),
        defaults(theirs).get(argument) if callable(theirs) else None,
        *(paper.get(argument) for paper in TRANSCRIPTIONS.get(name, [])),
        *(candidates(method, argument) if method != name else []),
    ]


def expected(name: str, argument: str) -> Any:
    found = (value for value in candidates(name, argument) if number(value))
    return next(found, f"write down where the default of {argument} is from")


@pytest.mark.parametrize("name", NUMBERS)
def test_default_numbers_are_those_of_a_library_or_the_paper(name):
    checked = {key: value for key, value in NUMBERS[name].items() if key not in OWN.get(name, ())}
    assert checked == {key: expected(name, key) for key in checked}


@pytest.mark.parametrize("table", [FROM_ELSEWHERE, OWN], ids=["from elsewhere", "own"])
def test_what_is_written_down_is_a_default_that_there_is(table):
    unknown = {name: set(keys) - set(NUMBERS.get(name, ())) for name, keys in table.items()}
    assert not {name: keys for name, keys in unknown.items() if keys}

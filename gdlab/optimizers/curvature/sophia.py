"""Sophia: momentum over an estimate of the diagonal of the Hessian, clipped."""

import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period
from gdlab.core.joins import join
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.norms.clipping import clip
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.probes.hutchinson import hutchinson
from gdlab.transforms.signals.scaling import scale_by_learning_rate
from gdlab.transforms.steps.holding import hold

HUTCHINSON: GradientTransformation = hutchinson()
"""The estimate of the diagonal of the Hessian from one probe."""


@join
def over_curvature(gamma: Hyperparameter, eps: NonNegative) -> Function:
    """Join a direction and a curvature: m/max(gamma·h, eps), with a positive denominator."""
    return lambda m, h: m / jnp.maximum(gamma * h, eps)


@transformation
def sophia(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.965,
    b2: Fraction = 0.99,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 1e-4,
    weight_decay_mask: Mask = None,
    gamma: Hyperparameter = 0.01,
    clip_threshold: NonNegative = 1.0,
    update_interval: Period = 10.0,
    hessian_diagonal_fn: GradientTransformation = HUTCHINSON,
    mu_dtype: StorageDType | None = None,
) -> GradientTransformation:
    """Sophia-H: momentum over an estimate of the diagonal of the Hessian, clipped.

    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ; hₜ = b2·hₜ₋₁ + (1 − b2)·ĥₜ at the steps t = 1, 1 + k, …, else hₜ₋₁;
    wₜ₊₁ = wₜ − η·(clip(mₜ/max(gamma·hₜ, eps), ±clip_threshold) + λ·wₜ)

    Where curvature is large the step is a multiple of Newton's; where it is small or negative it is
    a sign step. Except for decay, no element moves by more than η·clip_threshold. h has no bias
    correction: it is too small by the factor 1 − b2ᵗ after t estimates.

    When to use:
        Language models, according to its authors; in later comparisons it was no better than a
        well-tuned AdamW.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of curvatures.
        eps: ε, the least curvature.
        weight_decay: λ, decoupled.
        weight_decay_mask: which leaves decay, as in :func:`add_decayed_weights`.
        gamma: the factor on the curvature in the denominator; at 0.01 most elements are clipped at
            first.
        clip_threshold: the bound on the elements of the direction, before η.
        update_interval: k, the number of steps from one estimate to the next.
        hessian_diagonal_fn: the transformation that computes ĥₜ in place of the gradient.
        mu_dtype: dtype in which the average of gradients is stored.

    ``update`` needs ``params`` and the keywords ``grad_fn(params)`` and ``key``.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import minimize, sophia
    >>> loss = lambda w: jnp.sum(jnp.array([1.0, 100.0]) * w**2)
    >>> run = minimize(loss, jnp.ones(2), sophia(0.1), 4, key=jax.random.key(0))
    >>> print(run.params.round(2))
    [0.6 0.6]

    Source: H. Liu, Z. Li, D. Hall, P. Liang, T. Ma, Sophia: a scalable stochastic second-order
    optimizer for language model pre-training, 2023, algorithm 3 with estimator 1.
    """
    curvature = hold(chain(hessian_diagonal_fn, ema(b2)), update_interval)
    return chain(
        fork(over_curvature(gamma, eps), mu=ema(b1, accumulator_dtype=mu_dtype), nu=curvature),
        clip(clip_threshold),
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_learning_rate(learning_rate),
    )

"""AdaGO: orthogonal directions with the step size of Adagrad."""

import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.joins import join
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork
from gdlab.optimizers.matrix.beside_adamw import beside_adamw
from gdlab.optimizers.matrix.muon import scale_by_muon
from gdlab.transforms.averages.rss import scale_by_rss
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.matrices.newton_schulz import STANDARD, IterationCount, Polynomials
from gdlab.transforms.norms.clipping import clip
from gdlab.transforms.norms.matrix_norms import matrix_norm


@join
def step_of(learning_rate: Hyperparameter, at_least: Hyperparameter) -> Function:
    """Join a direction and a size: the step of descent with that size times the learning rate."""
    return lambda direction, size: -jnp.maximum(learning_rate * size, at_least) * direction


@transformation
def adago(
    learning_rate: Hyperparameter,
    ns_coeffs: Polynomials = STANDARD,
    ns_steps: IterationCount = 5,
    beta: Hyperparameter = 0.95,
    gamma: Hyperparameter = 10.0,
    eps: NonNegative = 5e-4,
    initial_accumulator_value: NonNegative = 1e-6,
    mu_dtype: StorageDType | None = None,
    *,
    adam_b1: Hyperparameter = 0.9,
    adam_b2: Fraction = 0.999,
    adam_eps: NonNegative = 1e-8,
    adam_weight_decay: Hyperparameter = 0.0,
    adam_learning_rate: Hyperparameter | None = None,
    weight_dimension_numbers: MatrixAxes = None,
    dtype: StorageDType | None = None,
) -> GradientTransformation:
    """AdaGO: Muon whose steps shrink as Adagrad's do, and AdamW for other parameters.

    nₜ = min(‖gₜ‖, γ), vₜ = vₜ₋₁ + nₜ², wₜ₊₁ = wₜ − max(ε, η·nₜ/√vₜ)·orthogonalize(mₜ),
    mₜ = β·mₜ₋₁ + (1 − β)·gₜ

    The direction is Muon's; its length, one number per matrix, follows the gradient's norm relative
    to those of the past. Scaling the loss together with γ and √v₀ changes nothing (ε → 0).

    When to use:
        In place of Muon, without a schedule of the learning rate. Its state has one more number per
        matrix than Muon's.

    Args:
        learning_rate: η, in the units of the parameters.
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of iterations.
        beta: β, the weight of the old average.
        gamma: γ, the largest n: the bound on the norm of a gradient.
        eps: ε, the least length of a step.
        initial_accumulator_value: v₀.
        mu_dtype: dtype in which averages of gradients are stored.
        adam_b1: decay of AdamW's average of gradients.
        adam_b2: decay of AdamW's average of squares.
        adam_eps: ε of AdamW.
        adam_weight_decay: λ of other parameters.
        adam_learning_rate: η of other parameters; that of the matrices unless given.
        weight_dimension_numbers: which parameters are matrices, and their axes, as for
            :func:`orthogonalize`; those with two axes unless given.
        dtype: dtype of the matrix products; at least float32 unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import adago
    >>> tx = adago(0.1, "polar_express", 8)
    >>> g = jnp.array([[3.0, 0.0], [0.0, 4.0]])
    >>> jnp.diag(tx.update(g, tx.init(g), g)[0]).round(4)
    Array([-0.1, -0.1], dtype=float32)

    Source: M. Zhang, Y. Liu, H. Schaeffer, AdaGrad meets Muon: adaptive stepsizes for orthogonal
    updates, 2025, algorithm 1.
    """
    axes = weight_dimension_numbers
    direction = scale_by_muon(
        ns_coeffs,
        ns_steps,
        beta,
        mu_dtype=mu_dtype,
        nesterov=False,
        weight_dimension_numbers=axes,
        dtype=dtype,
    )
    size = chain(matrix_norm(axes), clip(gamma), scale_by_rss(initial_accumulator_value, 0.0))
    return beside_adamw(
        "muon",
        fork(step_of(learning_rate, eps), expand(direction), size),
        axes,
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        adam_eps,
        mu_dtype=mu_dtype,
        weight_decay=adam_weight_decay,
    )

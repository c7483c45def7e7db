"""Muon: momentum, orthogonalised."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, named_chain
from gdlab.optimizers.matrix.beside_adamw import beside_adamw, descended
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.matrices.newton_schulz import (
    STANDARD,
    Iteration,
    IterationCount,
    Polynomials,
    Preconditioning,
)
from gdlab.transforms.matrices.orthogonalization import orthogonalize, scale_by_shape


@transformation
def scale_by_muon(
    ns_coeffs: Polynomials = STANDARD,
    ns_steps: IterationCount = 5,
    beta: Hyperparameter = 0.95,
    eps: NonNegative = 1e-8,
    mu_dtype: StorageDType | None = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Preconditioning = "frobenius",
    weight_dimension_numbers: MatrixAxes = None,
    iteration: Iteration = "auto",
    dtype: StorageDType | None = None,
) -> GradientTransformation:
    """The direction of Muon: the average gradient, orthogonalised.

    mₜ = β·mₜ₋₁ + (1 − β)·gₜ, uₜ = orthogonalize(β·mₜ + (1 − β)·gₜ)

    Args:
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of iterations.
        beta: β, the decay of the average.
        eps: ε, added to the norm of the average.
        mu_dtype: dtype in which the average is stored.
        nesterov: whether the average looks one step ahead; otherwise mₜ is orthogonalised.
        adaptive: as for :func:`orthogonalize`.
        preconditioning: as for :func:`orthogonalize`.
        weight_dimension_numbers: which axes are the matrix, as for :func:`orthogonalize`.
        iteration: as for :func:`orthogonalize`.
        dtype: dtype of the matrix products; at least float32 unless given.

    >>> from gdlab import expand, scale_by_muon
    >>> expand(scale_by_muon())
    named_chain(('mu', ema(0.95, nesterov=True)), ('orthogonalize', orthogonalize()))

    Source: K. Jordan, Muon: an optimizer for hidden layers in neural networks, 2024.
    """
    return named_chain(
        ("mu", ema(beta, nesterov, mu_dtype)),
        (
            "orthogonalize",
            orthogonalize(
                ns_coeffs,
                ns_steps,
                eps,
                weight_dimension_numbers=weight_dimension_numbers,
                preconditioning=preconditioning,
                adaptive=adaptive,
                iteration=iteration,
                dtype=dtype,
            ),
        ),
    )


@transformation
def muon(
    learning_rate: Hyperparameter,
    ns_coeffs: Polynomials = STANDARD,
    ns_steps: IterationCount = 5,
    beta: Hyperparameter = 0.95,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.0,
    weight_decay_mask: Mask = None,
    mu_dtype: StorageDType | None = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Preconditioning = "frobenius",
    adam_b1: Hyperparameter = 0.9,
    adam_b2: Fraction = 0.999,
    adam_eps_root: NonNegative | None = None,
    adam_weight_decay: Hyperparameter = 0.0,
    adam_learning_rate: Hyperparameter | None = None,
    muon_weight_dimension_numbers: MatrixAxes = None,
    consistent_rms: NonNegative | None = None,
    iteration: Iteration = "auto",
    dtype: StorageDType | None = None,
) -> GradientTransformation:
    """Muon: momentum, orthogonalised, for matrices, and AdamW for other parameters.

    mₜ = β·mₜ₋₁ + (1 − β)·gₜ, wₜ₊₁ = wₜ − η·(s·orthogonalize(β·mₜ + (1 − β)·gₜ) + λ·wₜ),
    s = √max(1, out/in)

    Each step changes a weight matrix by the same amount in every direction, including rare ones.
    Scaling the loss changes nothing (ε → 0).

    When to use:
        For hidden weight matrices of transformers and convolutional networks, where it needs fewer
        steps than AdamW. Give embeddings and the output layer to AdamW:
        ``muon_weight_dimension_numbers=[("embed|head", None)]``. Its learning rate is not AdamW's:
        0.02 is usual, or AdamW's own with ``consistent_rms=0.2``.

    Args:
        learning_rate: η, which also scales the decay.
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of iterations.
        beta: β, the decay of the average.
        eps: ε, added to the norm of the average, and in AdamW.
        weight_decay: λ of the matrices.
        weight_decay_mask: which matrices decay, as in :func:`add_decayed_weights`.
        mu_dtype: dtype in which averages of gradients are stored.
        nesterov: whether the average of a matrix looks one step ahead.
        adaptive: as for :func:`orthogonalize`.
        preconditioning: as for :func:`orthogonalize`.
        adam_b1: decay of AdamW's average of gradients.
        adam_b2: decay of AdamW's average of squares.
        adam_eps_root: ε of AdamW inside the root; none unless given.
        adam_weight_decay: λ of other parameters.
        adam_learning_rate: η of other parameters; that of the matrices unless given.
        muon_weight_dimension_numbers: which parameters are matrices, and their axes, as for
            :func:`orthogonalize`; those with two axes unless given.
        consistent_rms: the root mean square of a direction, with s = consistent_rms·√max(in, out)
            instead; 0.2 matches AdamW's learning rates.
        iteration: as for :func:`orthogonalize`.
        dtype: dtype of the matrix products; at least float32 unless given.

    Raises:
        ValueError: if the letters of the axes do not fit a leaf, or a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import muon
    >>> tx = muon(0.1, "polar_express", 8, adam_learning_rate=0.001)
    >>> params = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}
    >>> gradient = {"kernel": jnp.array([[4.0, 1.0], [1.0, 4.0]]), "bias": jnp.ones(2)}
    >>> updates, _ = tx.update(gradient, tx.init(params), params)
    >>> jnp.linalg.svd(updates["kernel"])[1].round(3), updates["bias"].round(3)
    (Array([0.1, 0.1], dtype=float32), Array([-0.001, -0.001], dtype=float32))

    Source: K. Jordan, Muon: an optimizer for hidden layers in neural networks, 2024; J. Liu et al.,
    Muon is scalable for LLM training, 2025, eq. 4 (consistent_rms).
    """
    direction = scale_by_muon(
        ns_coeffs,
        ns_steps,
        beta,
        eps,
        mu_dtype,
        nesterov=nesterov,
        adaptive=adaptive,
        preconditioning=preconditioning,
        weight_dimension_numbers=muon_weight_dimension_numbers,
        iteration=iteration,
        dtype=dtype,
    )
    shaped = chain(expand(direction), scale_by_shape(muon_weight_dimension_numbers, consistent_rms))
    return beside_adamw(
        "muon",
        descended(shaped, learning_rate, weight_decay, weight_decay_mask),
        muon_weight_dimension_numbers,
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        eps,
        adam_eps_root,
        mu_dtype,
        adam_weight_decay,
    )

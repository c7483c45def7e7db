"""AdaMuon: Muon with a second moment of its orthogonalised direction."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity, named_chain
from gdlab.optimizers.matrix.beside_adamw import beside_adamw, descended
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.matrices.newton_schulz import STANDARD, IterationCount, Polynomials
from gdlab.transforms.matrices.orthogonalization import orthogonalize
from gdlab.transforms.norms.matrix_norms import scale_to_rms
from gdlab.transforms.signals.pointwise import scale_by_sign
from gdlab.transforms.signals.ratios import ratio, square


@transformation
def adamuon(
    learning_rate: Hyperparameter,
    ns_coeffs: Polynomials = STANDARD,
    ns_steps: IterationCount = 5,
    beta: Hyperparameter = 0.95,
    beta2: Fraction = 0.95,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.0,
    weight_decay_mask: Mask = None,
    mu_dtype: StorageDType | None = None,
    *,
    sign: bool = True,
    adam_b1: Hyperparameter = 0.9,
    adam_b2: Fraction = 0.999,
    adam_weight_decay: Hyperparameter = 0.0,
    adam_learning_rate: Hyperparameter | None = None,
    weight_dimension_numbers: MatrixAxes = None,
    consistent_rms: NonNegative = 0.2,
    dtype: StorageDType | None = None,
) -> GradientTransformation:
    """AdaMuon: Muon with a second moment for each element, and AdamW for other parameters.

    oₜ = orthogonalize(sign(mₜ)), mₜ = β·mₜ₋₁ + (1 − β)·gₜ, vₜ = β₂·vₜ₋₁ + (1 − β₂)·oₜ²,
    ôₜ = oₜ/(√vₜ + ε), wₜ₊₁ = wₜ − η·(0.2·ôₜ/rms(ôₜ) + λ·wₜ)

    The sign makes the step independent of the scale of the gradient, so scaling the loss changes
    nothing, and the second moment evens out how much different elements move.

    When to use:
        In place of Muon if the elements of a matrix differ much in their noise. Its state has one
        more array. The learning rate and the decay are those of AdamW.

    Args:
        learning_rate: η, which also scales the decay.
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of iterations.
        beta: β, the weight of the old average.
        beta2: β₂, the weight of the old second moment; the paper has one β for both.
        eps: ε, in the orthogonalisation, added to √v, and in AdamW.
        weight_decay: λ of the matrices.
        weight_decay_mask: which matrices decay, as in :func:`add_decayed_weights`.
        mu_dtype: dtype in which averages of gradients are stored.
        sign: whether to take the sign of the average, unlike the paper's first version.
        adam_b1: decay of AdamW's average of gradients.
        adam_b2: decay of AdamW's average of squares.
        adam_weight_decay: λ of other parameters.
        adam_learning_rate: η of other parameters; that of the matrices unless given.
        weight_dimension_numbers: which parameters are matrices, and their axes, as for
            :func:`orthogonalize`; those with two axes unless given.
        consistent_rms: the root mean square of a direction.
        dtype: dtype of the matrix products; at least float32 unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import adamuon
    >>> tx = adamuon(0.1)
    >>> g = jnp.array([[9.0, 1.0], [1.0, -9.0]])
    >>> tx.update(g, tx.init(g), g)[0].round(4)
    Array([[-0.02, -0.02],
           [-0.02,  0.02]], dtype=float32)

    Source: C. Si, D. Zhang, W. Shen, AdaMuon: adaptive Muon optimizer, 2025, algorithm 1.
    """
    axes = weight_dimension_numbers
    orthogonal = orthogonalize(ns_coeffs, ns_steps, eps, weight_dimension_numbers=axes, dtype=dtype)
    direction = chain(
        named_chain(("mu", ema(beta, accumulator_dtype=mu_dtype))),
        chain(scale_by_sign(), orthogonal) if sign else orthogonal,
        fork(ratio(eps), identity(), nu=chain(square(), ema(beta2))),
        scale_to_rms(consistent_rms, axes),
    )
    return beside_adamw(
        "muon",
        descended(direction, learning_rate, weight_decay, weight_decay_mask),
        axes,
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        eps,
        mu_dtype=mu_dtype,
        weight_decay=adam_weight_decay,
    )

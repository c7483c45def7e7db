"""AdaMuon: Muon with a second moment of what it makes."""

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
    """AdaMuon: Muon with a second moment for each element, and AdamW for what is no matrix.

    oₜ = orthogonalize(sign(mₜ)), mₜ = β·mₜ₋₁ + (1 − β)·gₜ, vₜ = β₂·vₜ₋₁ + (1 − β₂)·oₜ²,
    ôₜ = oₜ/(√vₜ + ε), wₜ₊₁ = wₜ − η·(0.2·ôₜ/rms(ôₜ) + λ·wₜ)

    The sign makes the step blind to the scale of each element of the gradient, so that scaling the
    loss changes nothing, and the second moment evens out elements that are moved more than others.

    When to use:
        Where Muon is used and elements of a matrix differ much in how noisy they are. It keeps one
        array more. The learning rate and the decay are those of AdamW.

    Args:
        learning_rate: η, which also scales the decay.
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of their steps.
        beta: β, the weight of the old average.
        beta2: β₂, the weight of the old second moment; the paper has one β for both.
        eps: ε, in the orthogonalisation, beside √v, and that of AdamW.
        weight_decay: λ of the matrices.
        weight_decay_mask: which of them decay, as in :func:`add_decayed_weights`.
        mu_dtype: dtype in which averages of gradients are stored.
        sign: whether the sign is taken of the average; the paper's first version did not.
        adam_b1: decay of AdamW's average of gradients.
        adam_b2: decay of its average of squares.
        adam_weight_decay: λ of what is no matrix.
        adam_learning_rate: η of what is no matrix; that of the matrices unless given.
        weight_dimension_numbers: what is a matrix and which axes it has, as for
            :func:`orthogonalize`: one that has two axes unless told otherwise.
        consistent_rms: the root mean square of a direction.
        dtype: of the matrix products; float32 at least unless given.

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

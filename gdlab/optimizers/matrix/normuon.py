"""NorMuon: Muon whose neurons all move by the same amount."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.optimizers.matrix.beside_adamw import beside_adamw, descended
from gdlab.optimizers.matrix.muon import scale_by_muon
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.matrices.newton_schulz import STANDARD, IterationCount, Polynomials
from gdlab.transforms.matrices.orthogonalization import scale_by_shape
from gdlab.transforms.norms.matrix_norms import grafted_matrices, mean_over_inputs, scale_to_rms
from gdlab.transforms.signals.ratios import ratio, square


@transformation
def normuon(
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
    nesterov: bool = False,
    adam_b1: Hyperparameter = 0.9,
    adam_b2: Fraction = 0.999,
    adam_weight_decay: Hyperparameter = 0.0,
    adam_learning_rate: Hyperparameter | None = None,
    weight_dimension_numbers: MatrixAxes = None,
    consistent_rms: NonNegative | None = 0.2,
    dtype: StorageDType | None = None,
) -> GradientTransformation:
    """NorMuon: Muon with a second moment for each neuron, and AdamW for other parameters.

    oₜ = orthogonalize(mₜ), mₜ = β·mₜ₋₁ + (1 − β)·gₜ,
    vₜ = β₂·vₜ₋₁ + (1 − β₂)·mean over inputs of oₜ², ôₜ = oₜ/(√vₜ + ε),
    wₜ₊₁ = wₜ − η·(0.2·ôₜ/rms(ôₜ) + λ·wₜ)

    The orthogonal factor of a matrix with more outputs than inputs moves some neurons far more than
    others; v evens this out over time. Scaling the loss changes nothing (ε → 0).

    When to use:
        In place of Muon, at nearly the same cost and memory. With the default scaling the learning
        rate and the decay are those of AdamW.

    Args:
        learning_rate: η, which also scales the decay.
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of iterations.
        beta: β, the weight of the old average.
        beta2: β₂, the weight of the old second moment.
        eps: ε, in the orthogonalisation, added to √v, and in AdamW.
        weight_decay: λ of the matrices.
        weight_decay_mask: which matrices decay, as in :func:`add_decayed_weights`.
        mu_dtype: dtype in which averages of gradients are stored.
        nesterov: whether the average looks one step ahead, as in the authors' code.
        adam_b1: decay of AdamW's average of gradients.
        adam_b2: decay of AdamW's average of squares.
        adam_weight_decay: λ of other parameters.
        adam_learning_rate: η of other parameters; that of the matrices unless given.
        weight_dimension_numbers: which parameters are matrices, and their axes, as for
            :func:`orthogonalize`; those with two axes unless given.
        consistent_rms: the root mean square of a direction; with None ô has the norm of o times
            √max(1, out/in), as in the authors' code.
        dtype: dtype of the matrix products; at least float32 unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import normuon
    >>> tx = normuon(0.1)
    >>> tx.update(jnp.eye(2), tx.init(jnp.eye(2)), jnp.eye(2))[0].round(4)
    Array([[-0.0283, -0.    ],
           [-0.    , -0.0283]], dtype=float32)

    Source: Z. Li et al., NorMuon: making Muon more efficient and scalable, 2025, algorithm 1.
    """
    axes = weight_dimension_numbers
    direction = scale_by_muon(
        ns_coeffs,
        ns_steps,
        beta,
        eps,
        mu_dtype,
        nesterov=nesterov,
        weight_dimension_numbers=axes,
        dtype=dtype,
    )
    second_moment = chain(square(), mean_over_inputs(axes), ema(beta2))
    even = fork(ratio(eps), identity(), nu=second_moment)
    if consistent_rms is None:
        scaled = chain(fork(grafted_matrices(axes), identity(), even), scale_by_shape(axes))
    else:
        scaled = chain(even, scale_to_rms(consistent_rms, axes))
    return beside_adamw(
        "muon",
        descended(chain(expand(direction), scaled), learning_rate, weight_decay, weight_decay_mask),
        axes,
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        eps,
        mu_dtype=mu_dtype,
        weight_decay=adam_weight_decay,
    )

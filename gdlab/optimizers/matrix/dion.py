"""Dion: orthogonal directions of low rank, with error feedback."""

from gdlab.checks.kinds import Count, Seed, StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.matrix.beside_adamw import beside_adamw, descended
from gdlab.transforms.matrices.low_rank import orthogonalize_low_rank
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.matrices.orthogonalization import scale_by_shape


@transformation
def dion(
    learning_rate: Hyperparameter,
    rank: Count = 64,
    mu: Hyperparameter = 0.95,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.0,
    weight_decay_mask: Mask = None,
    mu_dtype: StorageDType | None = None,
    *,
    adam_b1: Hyperparameter = 0.9,
    adam_b2: Fraction = 0.999,
    adam_weight_decay: Hyperparameter = 0.0,
    adam_learning_rate: Hyperparameter | None = None,
    weight_dimension_numbers: MatrixAxes = None,
    seed: Seed = 0,
) -> GradientTransformation:
    """Dion: orthogonal directions of low rank for matrices, and AdamW for other parameters.

    Bₜ = Mₜ₋₁ + gₜ, Pₜ = qr(Bₜ·Qₜ₋₁), Rₜ = Bₜᵀ·Pₜ, Mₜ = Bₜ − (1 − μ)·Pₜ·Rₜᵀ,
    Qₜ = Rₜ with columns of norm one, wₜ₊₁ = wₜ − η·(√(out/in)·Pₜ·Qₜᵀ + λ·wₜ)

    Like Muon it moves along an orthogonal matrix, here one of low rank, whose products cost
    2·rank/side of Muon's. The part of the momentum that a step leaves out stays for later steps.

    When to use:
        For large matrices, or many devices, where Muon's products or their communication take too
        long; a rank of a quarter of the side costs few steps. At full rank it is close to Muon.

    Args:
        learning_rate: η, which also scales the decay.
        rank: the largest rank of a step.
        mu: μ, the decay of the momentum along the directions of a step.
        eps: ε, added to the norms of columns, and ε of AdamW.
        weight_decay: λ of the matrices.
        weight_decay_mask: which matrices decay, as in :func:`add_decayed_weights`.
        mu_dtype: dtype in which momenta are stored.
        adam_b1: decay of AdamW's average of gradients.
        adam_b2: decay of AdamW's average of squares.
        adam_weight_decay: λ of other parameters.
        adam_learning_rate: η of other parameters; that of the matrices unless given.
        weight_dimension_numbers: which parameters are matrices, and their axes, as for
            :func:`orthogonalize`; those with two axes unless given.
        seed: the seed of the random initial basis.

    >>> import jax.numpy as jnp
    >>> from gdlab import dion
    >>> tx = dion(0.1, rank=1)
    >>> g = jnp.array([[0.0, 3.0], [0.0, 4.0]])
    >>> tx.update(g, tx.init(g), g)[0][:, 1].round(2)
    Array([-0.06, -0.08], dtype=float32)

    Source: K. Ahn, B. Xu, N. Abreu, J. Langford, Dion: distributed orthonormalized updates, 2025,
    algorithm 1.
    """
    axes = weight_dimension_numbers
    orthogonal = orthogonalize_low_rank(
        rank, mu, eps, mu_dtype=mu_dtype, weight_dimension_numbers=axes, seed=seed
    )
    direction = chain(orthogonal, scale_by_shape(axes, at_least=0.0))
    return beside_adamw(
        "dion",
        descended(direction, learning_rate, weight_decay, weight_decay_mask),
        axes,
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        eps,
        mu_dtype=mu_dtype,
        weight_decay=adam_weight_decay,
    )

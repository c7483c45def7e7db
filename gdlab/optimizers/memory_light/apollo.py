"""APOLLO: gradients scaled as Adam scales a random projection of them."""

from gdlab.checks.kinds import Count
from gdlab.core.by_leaf import Mask, Structure
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.transforms.matrices.subspace import (
    Share,
    gaussian_rows,
    scale_from_subspace,
)
from gdlab.transforms.norms.norm_growth import limit_norm_growth
from gdlab.transforms.parameters.decay import add_decayed_weights, matrices
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def apollo(
    learning_rate: Hyperparameter,
    rank: Count = 128,
    update_proj_gap: Period = 200,
    scale: Hyperparameter = 1.0,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
    *,
    share: Share = "channel",
    max_growth: NonNegative = 1.01,
    axis: Structure | None = None,
    projector: Function = gaussian_rows,
) -> GradientTransformation:
    """APOLLO: the gradient, with each column scaled as Adam scales a random projection of it.

    Rₜ = P·gₜ, sⱼ = ‖Adam(Rₜ)ⱼ‖/‖(Rₜ)ⱼ‖, uₜ = α·gₜ·diag(s), wₜ₊₁ = wₜ − η·(uₜ + λ·wₜ), with r random
    rows in P on the shorter side of a matrix, and ‖uₜ‖ ≤ γ·‖uₜ₋₁‖

    The moments of an m×n matrix, m ≤ n, are r×n, and P is not stored but generated from a seed.
    APOLLO-Mini is ``apollo(η, rank=1, share="tensor", scale=128**0.5)`` and needs almost no memory.
    Vectors, and matrices whose shorter side is not above the rank, are trained by :func:`adamw`.

    When to use:
        Pre-training language models if the moments of :func:`adam` do not fit into memory, with
        AdamW's hyperparameters.

    Args:
        learning_rate: η, which also scales the decay.
        rank: r, the number of random rows.
        update_proj_gap: the number of steps from one random P to the next.
        scale: α, a factor on the scaled gradients.
        b1: decay of the average of projected gradients.
        b2: decay of the average of their squares.
        eps: ε, outside the root and after the correction.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        share: "channel" for one factor per column or row, "tensor" for one per array.
        max_growth: γ, the largest ratio of the norms of successive steps, for arrays with at least
            two axes.
        axis: the axis to project, as in :func:`in_subspace`.
        projector: the function that computes P, as in :func:`scale_from_subspace`.

    Raises:
        ValueError: if the keyword ``key`` of ``update`` is missing.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import apollo
    >>> tx, w = apollo(0.1, rank=1), jnp.zeros((2, 2))
    >>> gradient = jnp.array([[1.0, 2.0], [0.0, -2.0]])
    >>> updates, _ = tx.update(gradient, tx.init(w), w, key=jax.random.key(0))
    >>> (updates[0, 1] / updates[1, 1]).round(3)
    Array(-1., dtype=float32)

    Source: H. Zhu, Z. Zhang, W. Cong, X. Liu, S. Park, V. Chandra, B. Long, D. Z. Pan, Z. Wang,
    J. Lee, APOLLO: SGD-like memory, AdamW-level performance, 2024, algorithm 1.
    """
    scaled = scale_from_subspace(
        scale_by_adam(b1, b2, eps),
        rank,
        update_proj_gap,
        scale,
        share=share,
        axis=axis,
        projector=projector,
    )
    return chain(
        scaled,
        limit_norm_growth(max_growth, matrices),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )

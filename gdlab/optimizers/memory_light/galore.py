"""GaLore: Adam in the span of the leading singular vectors of the gradient."""

from gdlab.checks.kinds import Count
from gdlab.core.by_leaf import Mask, Structure
from gdlab.core.hyperparameter import Hyperparameter, Period
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.transforms.matrices.subspace import in_subspace, singular_vectors
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def galore(
    learning_rate: Hyperparameter,
    rank: Count = 128,
    update_proj_gap: Period = 200,
    scale: Hyperparameter = 0.25,
    base_optimizer: GradientTransformation | None = None,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
    *,
    axis: Structure | None = None,
    projector: Function = singular_vectors,
) -> GradientTransformation:
    """GaLore: a method applied to a low-rank projection of each matrix, to save memory.

    Rₜ = Pᵀ·gₜ, wₜ₊₁ = wₜ − η·(α·P·Adam(Rₜ) + λ·wₜ), with P the leading singular vectors of the
    gradient at the last refresh, on the shorter side of a matrix

    The moments of an m×n matrix, m ≤ n, are r×n. A refresh of P does not change them, although they
    belong to the old P. If the rank is not below the shorter side, it is the base method itself.

    When to use:
        Training or fine-tuning models if the moments of :func:`adam` do not fit into memory, with a
        rank of at least a quarter of the width. :func:`apollo` needs less memory and no singular
        vectors.

    Args:
        learning_rate: η, which also scales the decay.
        rank: r, the number of singular vectors.
        update_proj_gap: the number of steps from one refresh of P to the next.
        scale: α, a factor on the projected steps.
        base_optimizer: the method in the subspace, a leafwise direction without a learning rate;
            :func:`scale_by_adam` unless given.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        axis: the axis to project, as in :func:`in_subspace`; the shorter one unless given.
        projector: the function of the gradient that computes P, as in :func:`in_subspace`.

    >>> from gdlab import expand, galore
    >>> expand(galore(0.1, rank=4)).chain[0]
    in_subspace(scale_by_adam(), rank=4, scale=0.25)

    Source: J. Zhao, Z. Zhang, B. Chen, Z. Wang, A. Anandkumar, Y. Tian, GaLore: memory-efficient
    LLM training by gradient low-rank projection, 2024, algorithm 2.
    """
    base = scale_by_adam() if base_optimizer is None else base_optimizer
    return chain(
        in_subspace(base, rank, update_proj_gap, scale, axis=axis, projector=projector),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )

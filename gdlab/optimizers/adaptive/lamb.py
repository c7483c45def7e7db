"""LAMB: Adam with steps in proportion to the norm of the weights of each layer."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.transforms.norms.trust_ratio import scale_by_trust_ratio
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def lamb(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-6,
    eps_root: NonNegative | None = None,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """LAMB: AdamW with the step of each array scaled to the norm of its weights.

    rₜ = m̂ₜ/(√v̂ₜ + ε) + λ·wₜ, wₜ₊₁ = wₜ − η·rₜ·‖wₜ‖/‖rₜ‖, array by array

    The relative change of each array is η at every step; where weights or direction are zero the
    step is η·r. Scaling the loss changes nothing (ε → 0). Without decay, scaling the weights scales
    the path, so networks with normalised layers train the same at any scale of weights.

    When to use:
        Very large batches, of thousands of examples or more, where one learning rate does not suit
        all layers. With small batches AdamW does better.

    Args:
        learning_rate: η, the relative change of an array in one step.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        weight_decay: λ, which is included in the direction r, as in the paper.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import lamb
    >>> tx = lamb(0.1)
    >>> params = jnp.array([3.0, 4.0])
    >>> tx.update(jnp.array([1.0, 0.0]), tx.init(params), params)[0].round(4)
    Array([-0.5, -0. ], dtype=float32)

    Source: Y. You et al., Large batch optimization for deep learning: training BERT in 76 minutes,
    2020, algorithm 2.
    """
    return chain(
        expand(scale_by_adam(b1, b2, eps, eps_root)),
        add_decayed_weights(weight_decay, mask),
        scale_by_trust_ratio(),
        scale_by_learning_rate(learning_rate),
    )

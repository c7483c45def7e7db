"""AdamC: AdamW whose decay is proportional to the square of the learning rate."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.transforms.parameters.decay import descend_with_corrected_decay


@transformation
def adamc(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    weight_decay: Hyperparameter = 1e-4,
    mask: Mask = None,
    *,
    max_learning_rate: Hyperparameter,
) -> GradientTransformation:
    """AdamC: AdamW with the decay corrected for the schedule of the learning rate.

    wₜ₊₁ = wₜ − ηₜ·(m̂ₜ/(√v̂ₜ + ε) + λ·ηₜ/η_max·wₜ), with m̂ and v̂ as in Adam

    While the learning rate is at its largest it is AdamW. For weights before a normalisation,
    ‖g‖/‖w‖ tends to √(2λ/η_max) at every learning rate, whereas with AdamW gradients grow as the
    learning rate falls.

    When to use:
        Networks with normalised layers and a learning rate that falls to zero. Use it for the
        weights before a normalisation, and AdamW for the others, with :func:`partition`.

    Args:
        learning_rate: η, usually a schedule.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        max_learning_rate: η_max, the largest value of the schedule.

    >>> import jax.numpy as jnp
    >>> from gdlab import adamc
    >>> tx = adamc(0.1, weight_decay=0.5, max_learning_rate=0.2)
    >>> params = jnp.ones(1)
    >>> tx.update(params, tx.init(params), params)[0].round(4)
    Array([-0.125], dtype=float32)

    Source: A. Defazio, Why gradients rapidly increase near the end of training, 2025, algorithm 1.
    """
    return chain(
        expand(scale_by_adam(b1, b2, eps, eps_root, mu_dtype)),
        descend_with_corrected_decay(learning_rate, max_learning_rate, weight_decay, mask),
    )

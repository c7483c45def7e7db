"""Simplified AdEMAMix: Adam with a long momentum plus a multiple of the newest gradient."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_simplified_ademamix(
    b1: Hyperparameter = 0.99,
    b2: Fraction = 0.95,
    alpha: Hyperparameter = 0.0,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
) -> GradientTransformation:
    """The direction of simplified AdEMAMix: momentum plus a multiple of the newest gradient.

    mₜ = b1·mₜ₋₁ + gₜ, uₜ = (mₜ + alpha·gₜ)/(√(v̂ₜ + eps_root) + eps)

    Args:
        b1: decay of the sum of gradients.
        b2: decay of the average of squares.
        alpha: α, the additional weight of the newest gradient.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.

    >>> from gdlab import expand, scale_by_simplified_ademamix
    >>> expand(scale_by_simplified_ademamix())
    fork(ratio(eps=1e-08), fork(weighted_sum(0.0, 1.0), identity(), mu=trace(0.99)), \
nu=chain(square(), debias(ema(0.95))))

    Source: D. Morwani, N. Vyas, H. Zhang, S. Kakade, Connections between schedule-free optimizers,
    AdEMAMix, and accelerated SGD variants, 2025, section 4.
    """
    direction = fork(weighted_sum(alpha, 1.0), identity(), mu=trace(b1))
    return fork(ratio(eps, eps_root), direction, nu=chain(square(), debias(ema(b2))))


@transformation
def simplified_ademamix(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.99,
    b2: Fraction = 0.95,
    alpha: Hyperparameter = 0.0,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """Simplified AdEMAMix: one long momentum, to which the newest gradient is added.

    mₜ = b1·mₜ₋₁ + gₜ, vₜ as in Adam, wₜ₊₁ = wₜ − η·((mₜ + α·gₜ)/(√v̂ₜ + ε) + λ·wₜ)

    The sum m is 1/(1 − b1) times an average, so the learning rate is smaller than Adam's by this
    factor. With α = 0 it is Adam with the learning rate η/(1 − b1) and no correction of m. On a
    constant gradient step t is η·((1 − b1ᵗ)/(1 − b1) + α) (ε → 0).

    When to use:
        Small batches and long runs, if AdEMAMix's slow average would help but its second average
        and the schedule of α are too costly. Tune the learning rate anew: it is about 1 − b1 times
        that of AdamW.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the sum of gradients.
        b2: decay of the average of squares.
        alpha: α, the additional weight of the newest gradient.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        weight_decay: λ, decoupled.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import simplified_ademamix
    >>> tx = simplified_ademamix(0.01, alpha=10.0)
    >>> params = jnp.zeros(1)
    >>> tx.update(jnp.array([3.0]), tx.init(params), params)[0].round(4)
    Array([-0.11], dtype=float32)

    Source: D. Morwani, N. Vyas, H. Zhang, S. Kakade, Connections between schedule-free optimizers,
    AdEMAMix, and accelerated SGD variants, 2025, section 4.
    """
    return chain(
        expand(scale_by_simplified_ademamix(b1, b2, alpha, eps, eps_root)),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )

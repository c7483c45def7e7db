"""Grams: the size of Adam's step with the sign of the gradient."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.joins import signed_like
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def grams(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """Grams: the size of a step comes from momentum, and its sign from the gradient.

    wₜ₊₁ = wₜ − η·(sign(gₜ)·|m̂ₜ|/(√v̂ₜ + ε) + λ·wₜ), with m̂ and v̂ as in Adam

    No element goes against its gradient, so that to first order no step raises the loss. Where
    momentum and gradient agree it is AdamW: on a constant gradient every step has the size η
    (ε → 0). Scaling the loss changes nothing (ε → 0).

    When to use:
        Where AdamW's momentum overshoots. It flips the elements that go against the gradient,
        whereas :func:`cautious` AdamW drops them. With small batches the sign of a gradient is
        mostly noise.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        weight_decay: λ, decoupled.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import grams
    >>> tx = grams(0.1)
    >>> params = jnp.zeros(1)
    >>> tx.update(jnp.array([-3.0]), tx.init(params), params)[0].round(4)
    Array([0.1], dtype=float32)

    Source: Y. Cao, X. Li, Z. Song, Grams: gradient descent with adaptive momentum scaling, 2024,
    algorithm 1.
    """
    return chain(
        fork(signed_like(), expand(scale_by_adam(b1, b2, eps)), identity()),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )

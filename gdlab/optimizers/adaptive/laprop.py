"""LaProp: momentum of gradients scaled by RMSProp."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity, named_chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale, scale_by_learning_rate


@transformation
def laprop(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-15,
    eps_root: NonNegative | None = None,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
    *,
    learning_rate_in_momentum: bool = False,
) -> GradientTransformation:
    """LaProp: an average of gradients, each divided by the root mean square at its own step.

    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ/(√v̂ₜ + ε), wₜ₊₁ = wₜ − η·(m̂ₜ + λ·wₜ), with v̂ as in Adam

    Adam divides old gradients by the current scale, which is unstable if b2 is small: for b1 > √b2
    its steps can grow without bound, whereas here none is larger than η/√(1 − b2). With b1 = 0 both
    are RMSProp with bias correction. Scaling the loss changes nothing (ε → 0).

    When to use:
        In place of Adam if gradients change size from step to step, as with small batches,
        recurrent networks or reinforcement learning, or for b2 ≤ 0.9.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of scaled gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        weight_decay: λ, decoupled.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        learning_rate_in_momentum: whether each gradient is multiplied by the learning rate of its
            own step, as in the authors' code. This makes a difference only if η varies.

    >>> import jax.numpy as jnp
    >>> from gdlab import laprop
    >>> tx = laprop(0.1)
    >>> params = jnp.zeros(1)
    >>> tx.update(jnp.array([-3.0]), tx.init(params), params)[0].round(4)
    Array([0.1], dtype=float32)

    Source: L. Ziyin, Z. T. Wang, M. Ueda, LaProp: separating momentum and adaptivity in Adam, 2020,
    algorithm 1.
    """
    average = named_chain(("mu", ema(b1)))
    if learning_rate_in_momentum:
        average = chain(scale(learning_rate), average)
    scaled = fork(ratio(eps, eps_root), identity(), nu=chain(square(), debias(ema(b2))))
    return chain(
        scaled,
        debias(average),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )

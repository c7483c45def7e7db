"""AdaBelief: Adam that divides by the deviation of gradients from their average."""

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.joins import bus
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity, on_wires, wire
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.belief import belief
from gdlab.transforms.averages.debiasing import divide_by_weight
from gdlab.transforms.signals.joins import interpolate, weighted_sum
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_belief(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """The direction of AdaBelief: the average gradient over the gradients' deviation from it.

    mₜ = ema(b1)(gₜ), uₜ = m̂ₜ/(√ŝₜ + eps), sₜ = b2·sₜ₋₁ + (1 − b2)·(gₜ − mₜ)² + eps_root

    Args:
        b1: decay of the average of gradients.
        b2: decay of the average of squared deviations.
        eps: ε outside the root.
        eps_root: ε added to s at each step, which accumulates to eps_root/(1 − b2).
        nesterov: whether the average of gradients looks one step ahead.

    >>> from gdlab import expand, scale_by_belief
    >>> expand(scale_by_belief())
    chain(fork(bus(), identity(), mu=ema(0.9)), fork(ratio(eps=1e-16), chain(wire(1), \
divide_by_weight(0.9)), nu=chain(on_wires(weighted_sum(1.0, -1.0)), square(), \
belief(0.999, 1e-16))))

    Source: J. Zhuang et al., AdaBelief optimizer: adapting stepsizes by the belief in observed
    gradients, 2020, algorithm 2.
    """
    momentum = chain(wire(1), divide_by_weight(b1, ahead=nesterov))
    if nesterov:
        momentum = fork(interpolate(b1), momentum, chain(wire(0), divide_by_weight(b1)))
    surprise = chain(on_wires(weighted_sum(1.0, -1.0)), square(), belief(b2, eps_root))
    return chain(fork(bus(), identity(), mu=ema(b1)), fork(ratio(eps), momentum, nu=surprise))


@transformation
def adabelief(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """AdaBelief: longer steps where gradients are close to their average.

    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ, sₜ = b2·sₜ₋₁ + (1 − b2)·(gₜ − mₜ)² + ε,
    wₜ₊₁ = wₜ − η·m̂ₜ/(√ŝₜ + ε)

    Scaling the loss changes nothing (ε → 0). On a constant gradient s tends to 0, and the steps
    grow like 1/√s until ε bounds them.

    When to use:
        Where Adam trains fast and generalises badly, such as image classification, with the weight
        decay of :func:`add_decayed_weights` before the learning rate. It is sensitive to ε: 1e-8
        is usual for convolutional networks, 1e-16 for transformers and generative networks.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squared deviations.
        eps: ε outside the root.
        eps_root: ε added to s at each step; the paper has one ε for both.
        nesterov: whether the average of gradients looks one step ahead, as in :func:`nadam`.

    >>> import jax.numpy as jnp
    >>> from gdlab import adabelief
    >>> tx = adabelief(0.1, b1=0.5)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([-0.2], dtype=float32)

    Source: J. Zhuang et al., AdaBelief optimizer: adapting stepsizes by the belief in observed
    gradients, 2020, algorithm 2.
    """
    direction = scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov)
    return chain(expand(direction), scale_by_learning_rate(learning_rate))

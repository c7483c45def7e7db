"""RAdam: Adam that begins without scaling, until its second moment is reliable."""

import jax.numpy as jnp

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.joins import join
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema, nesterov_ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@schedule
def rectification(b2: Fraction = 0.999, threshold: NonNegative = 5.0) -> Function:
    """The factor by which RAdam corrects for the variance of an average of few squares.

    rₜ = √((ρₜ − 4)(ρₜ − 2)ρ∞/((ρ∞ − 4)(ρ∞ − 2)ρₜ)) where ρₜ ≥ threshold, and 0 before,
    with ρ∞ = 2/(1 − b2) − 1, ρₜ = ρ∞ − 2t·b2ᵗ/(1 − b2ᵗ), t = 1, 2, …

    ρ is the effective number of gradients in the average: near t at first, and ρ∞ in the end, where
    r is 1.

    Args:
        b2: decay of the average of squares.
        threshold: the least ρ at which the average of squares is used, above 4.

    >>> from gdlab import rectification
    >>> [round(float(rectification()(t)), 4) for t in (4, 5, 100, 10_000)]
    [0.0, 0.0258, 0.2165, 0.9998]

    Source: L. Liu et al., On the variance of the adaptive learning rate and beyond, 2020,
    algorithm 2.
    """

    def factor(count):
        t = count.astype(float) + 1
        log_decay = jnp.log1p(-(1 - b2))
        longest = 2 / (1 - b2) - 1
        rho = longest - 2 * t * jnp.exp(t * log_decay) / -jnp.expm1(t * log_decay)
        known = (rho >= threshold) & (rho > 4) & (longest > 4)
        # Unused values must not divide by zero.
        rho, longest = jnp.where(known, rho, 5.0), jnp.where(known, longest, 5.0)
        squared = (rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)
        return jnp.where(known, jnp.sqrt(squared), 0.0)

    return factor


@join
def rectified(
    factor: Hyperparameter,
    eps: NonNegative | None = None,
    eps_root: NonNegative | None = None,
) -> Function:
    """Join a direction and a second moment: their ratio times a factor, or the direction alone.

    u = factor·m/(√(v + eps_root) + eps) where the factor is positive, and m where it is 0

    >>> import jax.numpy as jnp
    >>> from gdlab import rectified
    >>> rectified(0.5)(jnp.array([6.0]), jnp.array([4.0]))
    Array([1.5], dtype=float32)
    >>> rectified(0.0)(jnp.array([6.0]), jnp.array([4.0]))
    Array([6.], dtype=float32)
    """
    divide = ratio(eps, eps_root)
    return lambda m, v: jnp.where(factor > 0, factor * divide(m, v), m)


@transformation
def scale_by_radam(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    threshold: NonNegative = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """The direction of RAdam: the average gradient, unscaled at first, then scaled as in Adam.

    uₜ = rₜ·m̂ₜ/(√(v̂ₜ + eps_root) + eps) where ρₜ ≥ threshold, and m̂ₜ before; r and ρ are those of
    :func:`rectification`.

    Args:
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.
        threshold: the least ρ at which the average of squares is used.
        nesterov: whether the average of gradients looks one step ahead.

    >>> from gdlab import expand, scale_by_radam
    >>> expand(scale_by_radam())
    fork(rectified(rectification(), eps=1e-08), mu=debias(ema(0.9)), \
nu=chain(square(), debias(ema(0.999))))

    Source: L. Liu et al., On the variance of the adaptive learning rate and beyond, 2020,
    algorithm 2.
    """
    momentum = nesterov_ema(b1) if nesterov else debias(ema(b1))
    factor = rectification(b2, threshold)
    return fork(rectified(factor, eps, eps_root), mu=momentum, nu=chain(square(), debias(ema(b2))))


@transformation
def radam(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    threshold: NonNegative = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """RAdam: Adam with a warm-up derived from the variance of its second moment.

    wₜ₊₁ = wₜ − η·rₜ·m̂ₜ/(√v̂ₜ + ε) where ρₜ ≥ threshold, and wₜ − η·m̂ₜ before

    The first steps, five at the usual b2, are those of momentum, and so depend on the scale of the
    loss; after that it is Adam with the learning rate η·rₜ, where r rises to 0.83 in 2/(1 − b2)
    steps, and to 0.98 in 5/(1 − b2).

    When to use:
        In place of Adam if a warm-up would have to be tuned. A linear warm-up over 2/(1 − b2) steps
        does nearly the same, without the initial steps of momentum.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        threshold: the least ρ at which the average of squares is used: 5 in the authors' code, 4 in
            the paper.
        nesterov: whether the average of gradients looks one step ahead, as in :func:`nadam`.

    >>> import jax.numpy as jnp
    >>> from gdlab import radam
    >>> tx = radam(0.1)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([-0.3], dtype=float32)

    Source: L. Liu et al., On the variance of the adaptive learning rate and beyond, 2020,
    algorithm 2.
    """
    direction = scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov)
    return chain(expand(direction), scale_by_learning_rate(learning_rate))

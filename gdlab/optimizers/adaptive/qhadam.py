"""QHAdam: Adam with quasi-hyperbolic averages."""

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.signals.joins import interpolate
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def qhadam(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.995,
    b2: Fraction = 0.999,
    nu1: Hyperparameter = 0.7,
    nu2: Hyperparameter = 1.0,
    eps: NonNegative = 1e-8,
) -> GradientTransformation:
    """QHAdam: Adam with additional weight on the current gradient.

    wₜ₊₁ = wₜ − η·((1 − ν₁)·gₜ + ν₁·m̂ₜ)/(√((1 − ν₂)·gₜ² + ν₂·v̂ₜ) + ε), with m̂ and v̂ as in Adam

    With ν₁ = ν₂ = 1 it is Adam; with ν₁ = 0, ν₂ = 1 RMSProp with bias correction; with ν₁ = b1, ν₂
    = 1 it tends to Nadam. With ν₂ < 1 no step is longer than η/√(1 − ν₂) without momentum. On a
    constant gradient every step has the size η (ε → 0), and scaling the loss changes nothing (ε →
    0).

    When to use:
        In place of Adam with long momentum: b1 = 0.995 averages over 200 gradients, and ν₁ < 1 lets
        it still react at once. ν₂ a little below 1 bounds the steps of an unstable start.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        nu1: ν₁, the weight of the average of gradients.
        nu2: ν₂, the weight of the average of squares.
        eps: ε, outside the root and after the correction.

    >>> from gdlab import expand, qhadam
    >>> expand(qhadam(0.1))
    chain(fork(ratio(eps=1e-08), fork(interpolate(0.7), mu=debias(ema(0.995)), \
gradient=identity()), fork(interpolate(1.0), nu=chain(square(), debias(ema(0.999))), \
square=square())), scale_by_learning_rate(0.1))

    Source: J. Ma, D. Yarats, Quasi-hyperbolic momentum and Adam for deep learning, 2019, eq. 15.
    """
    momentum = fork(interpolate(nu1), mu=debias(ema(b1)), gradient=identity())
    second = fork(interpolate(nu2), nu=chain(square(), debias(ema(b2))), square=square())
    return chain(fork(ratio(eps), momentum, second), scale_by_learning_rate(learning_rate))

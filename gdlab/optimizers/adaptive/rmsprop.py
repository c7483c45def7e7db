"""RMSProp: Adagrad with an average of squares in place of their sum."""

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.averages.rms import scale_by_rms
from gdlab.transforms.averages.stddev import scale_by_stddev
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def rmsprop(
    learning_rate: Hyperparameter,
    decay: Fraction = 0.9,
    eps: NonNegative = 1e-8,
    initial_scale: NonNegative | None = None,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Hyperparameter | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
    *,
    learning_rate_in_momentum: bool = True,
) -> GradientTransformation:
    """RMSProp: divide by the root of the mean square of recent gradients.

    vₜ = decay·vₜ₋₁ + (1 − decay)·gₜ², wₜ₊₁ = wₜ − η·gₜ/√(vₜ + ε)

    The first step has the size η/√(1 − decay); with ``bias_correction`` it is η.

    When to use:
        On gradients whose scale drifts, as in recurrent networks and reinforcement learning.

    Args:
        learning_rate: η.
        decay: decay of the average of squares.
        eps: ε.
        initial_scale: the initial value v₀; 0 unless given.
        eps_in_sqrt: whether ε is added inside the root (optax, Keras) or outside (torch).
        centered: whether to divide by the standard deviation instead (Graves 2013).
        momentum: μ, the decay of a momentum of the scaled gradients; none unless given.
        nesterov: whether that momentum looks one step ahead.
        bias_correction: whether v is divided by 1 − decayᵗ.
        learning_rate_in_momentum: whether momentum accumulates steps that include the learning rate
            (optax, Keras) or scaled gradients (torch). The two differ only if η varies.

    >>> from gdlab import expand, rmsprop
    >>> expand(rmsprop(0.01, momentum=0.9))
    chain(scale_by_rms(), scale_by_learning_rate(0.01), trace(0.9))

    Source: T. Tieleman, G. Hinton, Lecture 6.5: RMSProp, 2012; A. Graves, Generating sequences with
    recurrent neural networks, 2013, eq. 38–45.
    """
    scaling = scale_by_stddev if centered else scale_by_rms
    links = [
        scaling(decay, eps, initial_scale, eps_in_sqrt, bias_correction),
        scale_by_learning_rate(learning_rate),
    ]
    if momentum is not None:
        links.insert(2 if learning_rate_in_momentum else 1, trace(momentum, nesterov))
    return chain(*links)

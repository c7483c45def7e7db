"""ACProp: AdaBelief that divides each gradient by the deviation estimated before it."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.belief import belief
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_acprop(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
) -> GradientTransformation:
    """The direction of ACProp: the gradient divided by the deviation estimated before it.

    uₜ = gₜ/(√ŝₜ₋₁ + eps) with ŝ₀ = 1, sₜ = b2·sₜ₋₁ + (1 − b2)·(gₜ − mₜ)² + eps_root,
    mₜ = ema(b1)(gₜ)

    Args:
        b1: decay of the average of gradients, from which deviations are measured.
        b2: decay of the average of squared deviations.
        eps: ε outside the root.
        eps_root: ε added to s at each step.

    >>> from gdlab import expand, scale_by_acprop
    >>> expand(scale_by_acprop())
    fork(ratio(eps=1e-16), identity(), nu=chain(fork(weighted_sum(1.0, -1.0), \
identity(), mu=ema(0.9)), square(), belief(0.999, 1e-16, lagged=True)))

    Source: J. Zhuang et al., Momentum centering and asynchronous update for adaptive gradient
    methods, 2021, algorithm 2.
    """
    deviation = fork(weighted_sum(1.0, -1.0), identity(), mu=ema(b1))
    surprise = chain(deviation, square(), belief(b2, eps_root, lagged=True))
    return fork(ratio(eps), identity(), nu=surprise)


@transformation
def acprop(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """ACProp: gradients divided by the deviation estimated before them, without momentum.

    wₜ₊₁ = wₜ − η·(gₜ/(√ŝₜ₋₁ + ε) + λ·wₜ), sₜ = b2·sₜ₋₁ + (1 − b2)·(gₜ − mₜ)² + ε,
    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ

    The first step is that of gradient descent, η·g. From the second on, scaling the loss changes
    nothing (ε → 0).

    When to use:
        Where AdaBelief is unstable: as in ADOPT, the scale is independent of the gradient, so it
        converges for any b2. The first step is not scaled: warm up the learning rate, or scale the
        loss, to keep it small.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients, from which deviations are measured.
        b2: decay of the average of squared deviations.
        eps: ε outside the root.
        eps_root: ε added to s at each step.
        weight_decay: λ, decoupled.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> from gdlab import acprop, hyperparameters
    >>> hyperparameters(acprop(0.01))["eps_root"]
    1e-16

    Source: J. Zhuang et al., Momentum centering and asynchronous update for adaptive gradient
    methods, 2021, algorithm 2.
    """
    return chain(
        expand(scale_by_acprop(b1, b2, eps, eps_root)),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )

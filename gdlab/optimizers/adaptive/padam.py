"""Padam: between Adam and momentum."""

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork
from gdlab.optimizers.adaptive.amsgrad import largest_moment
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.signals.joins import power_ratio
from gdlab.transforms.signals.ratios import square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def padam(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    partial: Fraction = 0.125,
    *,
    amsgrad: bool = True,
    bias_correction: bool = True,
) -> GradientTransformation:
    """Padam: the average gradient over a power, at most ½, of the second moment.

    wₜ₊₁ = wₜ − η·m̂ₜ/(v̄ₜ + ε)^p, with m̂ as in Adam and v̄ the largest second moment so far

    At p = ½ it is :func:`amsgrad` (or Adam, without the maximum) with ε inside the root; at p = 0
    it is momentum. Scaling the loss by c scales the steps by c^(1 − 2p) (ε → 0).

    When to use:
        Image classification, where Adam generalises slightly worse than momentum. Start from the
        learning rate of momentum, 0.1, and decay it in stages, with p = ⅛.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, added to the second moment, in its units.
        partial: p, in [0, ½].
        amsgrad: whether the second moment is the largest so far, as in the paper.
        bias_correction: whether m and v̄ are divided by 1 − b1ᵗ and 1 − b2ᵗ; in the paper they are
            not.

    >>> import jax.numpy as jnp
    >>> from gdlab import padam
    >>> tx = padam(0.1, partial=0.25, eps=0.0)
    >>> tx.update(jnp.array([4.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([-0.2], dtype=float32)

    Source: J. Chen et al., Closing the generalization gap of adaptive gradient methods in training
    deep neural networks, 2020, algorithm 1.
    """
    momentum, mean_square = ema(b1), ema(b2)
    if bias_correction:
        momentum, mean_square = debias(momentum), debias(mean_square)
    second = (
        largest_moment(b2, bias_correction, maximum_of_corrected=False)
        if amsgrad
        else chain(square(), mean_square)
    )
    return chain(
        fork(power_ratio(partial, eps), mu=momentum, nu=second),
        scale_by_learning_rate(learning_rate),
    )

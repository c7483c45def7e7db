"""StableAdamW: AdamW with shorter steps while the second moment lags behind the gradients."""

import jax.numpy as jnp

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.joins import bus, join
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity, wire
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.norms.norms import rms
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.joins import over_maximum
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@join
def shortened() -> Function:
    """Join an update and a ratio: the update over the ratio's root mean square, if above 1.

    u = a/max(1, rms(b)), with the root mean square over the whole array

    >>> import jax.numpy as jnp
    >>> from gdlab import shortened
    >>> shortened()(jnp.array([6.0]), jnp.array([-3.0]))
    Array([2.], dtype=float32)
    """
    # A NaN stays in its own element and does not affect the root mean square.
    return lambda a, b: a / jnp.maximum(rms(b, ignore_nan=True), 1)


@transformation
def stable_adamw(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.99,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 1e-2,
    mask: Mask = None,
) -> GradientTransformation:
    """StableAdamW: AdamW with Adafactor's update clipping.

    rₜ = √(mean of gₜ²/max(v̂ₜ, ε²)), array by array;
    wₜ₊₁ = wₜ − η/max(1, rₜ)·(m̂ₜ/(√v̂ₜ + ε) + λ·wₜ)

    For a gradient c times as large as all earlier ones, r is about min(c, 1/√(1 − b2)), and the
    step is shorter by that factor. While gradients keep their size it is AdamW. Scaling the loss
    changes nothing (ε → 0).

    When to use:
        If AdamW has spikes in the loss, as in large vision and language models. It replaces
        gradient clipping, and has no threshold to tune.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import stable_adamw
    >>> tx = stable_adamw(0.1)
    >>> params = jnp.zeros(1)
    >>> tx.update(jnp.array([-3.0]), tx.init(params), params)[0].round(4)
    Array([0.1], dtype=float32)

    Source: M. Wortsman et al., Stable and low-precision training for large-scale vision-language
    models, 2023, algorithm 2.
    """
    moments = fork(bus(), identity(), mu=debias(ema(b1)), nu=chain(square(), debias(ema(b2))))
    direction = chain(fork(ratio(eps), wire(1), wire(2)), add_decayed_weights(weight_decay, mask))
    surprise = fork(over_maximum(eps), wire(0), wire(2))
    return chain(
        moments, fork(shortened(), direction, surprise), scale_by_learning_rate(learning_rate)
    )

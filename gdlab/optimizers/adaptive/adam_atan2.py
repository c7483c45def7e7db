"""Adam-atan2: Adam without an ε."""

import math

import jax.numpy as jnp

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter
from gdlab.core.joins import join
from gdlab.core.numerics import safe_sqrt
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@join
def arctangent(a: Hyperparameter, b: Hyperparameter) -> Function:
    """Join a direction and a second moment by the angle between them, which needs no ε.

    u = a·atan2(m, b·√v), and 0 where both are 0; for complex m, |m| takes the place of m and the
    phase is kept.

    Where |m| is far below b·√v, u is about a/b·m/√v; |u| is never larger than a·π/2.

    Args:
        a: a, the scale of the result.
        b: b, the scale of the denominator.

    >>> import jax.numpy as jnp
    >>> from gdlab import arctangent
    >>> arctangent(4 / jnp.pi, 1.0)(jnp.array([3.0, 0.0]), jnp.array([9.0, 0.0]))
    Array([1., 0.], dtype=float32)

    Source: K. Everett et al., Scaling exponents across parameterizations and optimizers, 2024,
    section 4.3.
    """

    def angle(m, v):
        size, root = jnp.abs(m), b * safe_sqrt(v)
        # The angle has no derivative if both are zero.
        rests = (size == 0) & (root == 0)
        found = jnp.arctan2(jnp.where(rests, 0, size), jnp.where(rests, 1, root))
        return a * found * jnp.sign(m)

    return angle


@transformation
def adam_atan2(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    a: Hyperparameter = 4 / math.pi,
    b: Hyperparameter = 1.0,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """Adam-atan2: AdamW with an angle in place of the ratio, and no ε.

    wₜ₊₁ = wₜ − η·(a·atan2(m̂ₜ, b·√v̂ₜ) + λ·wₜ), with m̂ and v̂ as in Adam

    Scaling the loss changes nothing at all, however small the gradients are. On a constant gradient
    every step has the size η, with the default a = 4/π, and no step is longer than 2η.

    When to use:
        Very large or very deep networks, or low precision, where gradients of some layers fall
        below any ε. Otherwise it behaves like AdamW, with steps up to a quarter longer.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        a: a, the scale of the angle; small ratios are scaled by a/b.
        b: b, the scale of √v̂.
        weight_decay: λ, decoupled.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import adam_atan2
    >>> tx = adam_atan2(0.1)
    >>> params = jnp.zeros(2)
    >>> tx.update(jnp.array([3.0, -1e-15]), tx.init(params), params)[0].round(4)
    Array([-0.1,  0.1], dtype=float32)

    Source: K. Everett et al., Scaling exponents across parameterizations and optimizers, 2024,
    section 4.3.
    """
    second = chain(square(), debias(ema(b2)))
    return chain(
        fork(arctangent(a, b), mu=debias(ema(b1)), nu=second),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )

"""Yogi: Adam whose denominator changes slowly."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, leafwise, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias, divide_by_weight
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(nonnegative="like input")
def additive_moment(decay: Fraction, initial_accumulator_value: NonNegative = 0.0) -> LeafFunctions:
    """Follow a signal by steps whose size does not depend on the distance to it.

    vₜ = vₜ₋₁ − (1 − decay)·sign(vₜ₋₁ − gₜ)·gₜ, v₀ = initial_accumulator_value

    An average falls by a fraction of itself, but this falls by a fraction of the signal, which may
    be small: it forgets large values slowly.

    Args:
        decay: the step is the fraction 1 − decay of the signal; in [0, 1).
        initial_accumulator_value: v₀.

    >>> import jax.numpy as jnp
    >>> from gdlab import additive_moment
    >>> tx = additive_moment(0.5, 4.0)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.zeros(1)))[0]
    Array([3.5], dtype=float32)

    Source: M. Zaheer et al., Adaptive methods for nonconvex optimization, 2018, algorithm 2.
    """

    def init(like):
        return jnp.full_like(like, initial_accumulator_value)

    def update(u, v):
        v = v - (1 - decay) * jnp.sign(v - u) * u
        return v, v

    return init, update


@transformation
def scale_by_yogi(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-3,
    eps_root: NonNegative | None = None,
    initial_accumulator_value: NonNegative = 0.0,
    *,
    bias_correction: bool = True,
) -> GradientTransformation:
    """The direction of Yogi: the average gradient over the root of a slowly changing moment.

    uₜ = m̂ₜ/(√(v̂ₜ + eps_root) + eps), vₜ = vₜ₋₁ − (1 − b2)·sign(vₜ₋₁ − gₜ²)·gₜ²

    Args:
        b1: decay of the average of gradients.
        b2: as for :func:`additive_moment`.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.
        initial_accumulator_value: v₀; optax starts both moments at 1e-6.
        bias_correction: whether m and v are divided by 1 − b1ᵗ and 1 − b2ᵗ; in the paper they are
            not.

    >>> from gdlab import expand, scale_by_yogi
    >>> expand(scale_by_yogi(bias_correction=False))
    fork(ratio(eps=0.001), mu=ema(0.9), nu=chain(square(), additive_moment(0.999)))

    Source: M. Zaheer et al., Adaptive methods for nonconvex optimization, 2018, algorithm 2.
    """
    momentum, second = ema(b1), chain(square(), additive_moment(b2, initial_accumulator_value))
    if bias_correction:
        momentum, second = debias(momentum), chain(second, divide_by_weight(b2))
    return fork(ratio(eps, eps_root), mu=momentum, nu=second)


@transformation
def yogi(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-3,
    *,
    initial_accumulator_value: NonNegative = 0.0,
    bias_correction: bool = True,
) -> GradientTransformation:
    """Yogi: Adam whose effective learning rate rises only slowly.

    mₜ as in Adam, vₜ = vₜ₋₁ − (1 − b2)·sign(vₜ₋₁ − gₜ²)·gₜ², wₜ₊₁ = wₜ − η·m̂ₜ/(√v̂ₜ + ε)

    After one large gradient Adam's v falls as b2ᵗ, but Yogi's by (1 − b2)·g² per step, whatever v
    is. While squares exceed v, it adds them up like Adagrad, with weight 1 − b2. Scaling the loss
    changes nothing if ε is scaled with it.

    When to use:
        Sparse or bursty gradients, where Adam's steps grow too much between bursts. ε is large and
        part of the method: it bounds the effective learning rate by η/ε.

    Args:
        learning_rate: η; the paper has 0.01.
        b1: decay of the average of gradients.
        b2: v moves by the fraction 1 − b2 of g².
        eps: ε, outside the root and after the correction.
        initial_accumulator_value: v₀; optax starts both moments at 1e-6.
        bias_correction: whether m and v are divided by 1 − b1ᵗ and 1 − b2ᵗ, as in optax, but not in
            the paper.

    >>> import jax.numpy as jnp
    >>> from gdlab import yogi
    >>> tx = yogi(0.1, eps=1.0)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([-0.075], dtype=float32)

    Source: M. Zaheer et al., Adaptive methods for nonconvex optimization, 2018, algorithm 2.
    """
    direction = scale_by_yogi(
        b1, b2, eps, None, initial_accumulator_value, bias_correction=bias_correction
    )
    return chain(expand(direction), scale_by_learning_rate(learning_rate))

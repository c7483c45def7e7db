"""Joins of two or more signals: mixtures, quotients and agreements."""

from typing import Annotated

import jax.numpy as jnp

from gdlab.core.annotations import NonEmpty
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.joins import join
from gdlab.core.numerics import safe_divide, safe_sqrt
from gdlab.core.structure import Function


@join
def interpolate(weight: Hyperparameter) -> Function:
    """Join two signals by their weighted mean.

    u = weight·a + (1 − weight)·b

    Args:
        weight: the weight of the first signal, in [0, 1].

    >>> import jax.numpy as jnp
    >>> from gdlab import interpolate
    >>> interpolate(0.75)(jnp.array([4.0]), jnp.array([8.0]))
    Array([5.], dtype=float32)
    """
    return lambda a, b: weight * a + (1 - weight) * b


@join
def weighted_sum(*weights: Annotated[Hyperparameter, NonEmpty]) -> Function:
    """Join signals by a weighted sum.

    u = Σᵢ weightᵢ·aᵢ

    Args:
        *weights: one weight for each signal.

    Raises:
        ValueError: without weights, or if the numbers of signals and weights differ.

    >>> import jax.numpy as jnp
    >>> from gdlab import weighted_sum
    >>> weighted_sum(2.0, -1.0)(jnp.array([4.0]), jnp.array([3.0]))
    Array([5.], dtype=float32)
    """

    def add(*signals):
        if len(signals) != len(weights):
            raise ValueError(
                f"weighted_sum has {len(weights)} weights, but joins {len(signals)} signals"
            )
        total = weights[0] * signals[0]
        for weight, signal in zip(weights[1:], signals[1:], strict=True):
            total = total + weight * signal
        return total

    return add


@join
def power_ratio(power: Hyperparameter, eps: NonNegative) -> Function:
    """Join a direction and a second moment: the direction divided by a power of the moment.

    u = m / (v + eps)^power, and 0 where that denominator is 0; power ½ is :func:`ratio`, power 0
    returns the direction unchanged.

    Args:
        power: the exponent p, in [0, ½] for methods between momentum and Adam.
        eps: ε, added to the moment, in the units of the moment.

    >>> import jax.numpy as jnp
    >>> from gdlab import power_ratio
    >>> power_ratio(0.25, 0.0)(jnp.array([6.0, 0.0]), jnp.array([16.0, 0.0]))
    Array([3., 0.], dtype=float32)
    """

    def divide(m, v):
        base = v + eps
        vanishes = base <= 0
        return jnp.where(vanishes, 0, m / jnp.where(vanishes, 1, base) ** power)

    return divide


@join
def over_maximum(eps: NonNegative) -> Function:
    """Join a direction and a second moment: the direction over the moment's root, at least ε.

    u = m / max(√v, eps), and 0 where that denominator is 0

    Args:
        eps: the least denominator, in the units of the gradient.

    >>> import jax.numpy as jnp
    >>> from gdlab import over_maximum
    >>> over_maximum(3.0)(jnp.array([6.0, 6.0]), jnp.array([4.0, 36.0]))
    Array([2., 1.], dtype=float32)
    """
    return lambda m, v: safe_divide(m, jnp.maximum(safe_sqrt(v), eps), at_least=eps)


@join
def agreeing(eps: NonNegative = 1.0) -> Function:
    """Join a direction and the gradient: the direction, where the signs of both agree.

    uᵢ = mᵢ·φᵢ·n/(Σⱼφⱼ + eps), with φᵢ = 1 where mᵢ·gᵢ > 0 and 0 elsewhere, and n the number of
    elements of the array: the remaining elements are scaled up for those that are dropped.

    Args:
        eps: ξ, added to the number of elements that agree, so that the divisor is not 0.

    >>> import jax.numpy as jnp
    >>> from gdlab import agreeing
    >>> agreeing()(jnp.array([1.0, 1.0, 1.0]), jnp.array([2.0, 3.0, -1.0]))
    Array([1., 1., 0.], dtype=float32)

    Source: K. Liang, L. Chen, B. Liu, Q. Liu, Cautious optimizers: improving training with one line
    of code, 2024, algorithm 1.
    """

    def mask(m, g):
        # With this comparison, a NaN is not dropped but shows in the updates.
        opposes = (m * jnp.conj(g)).real <= 0
        share = (jnp.sum(~opposes, dtype=m.real.dtype) + eps) / max(m.size, 1)
        return jnp.where(opposes, 0, safe_divide(m, share))

    return mask


@join
def signed_like() -> Function:
    """Join two signals: the absolute value of the first with the sign of the second.

    u = |a|·sign(b)

    >>> import jax.numpy as jnp
    >>> from gdlab import signed_like
    >>> signed_like()(jnp.array([3.0]), jnp.array([-0.1]))
    Array([-3.], dtype=float32)
    """
    return lambda a, b: jnp.abs(a) * jnp.sign(b)

"""Dual averaging with a cube root: MADGRAD, whose sums give a point rather than a direction."""

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.joins import join
from gdlab.core.numerics import safe_divide
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.schedules.power_of_count import power_of_count
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.groups.freezing import set_to_zero
from gdlab.transforms.parameters.from_start import from_start
from gdlab.transforms.signals.joins import interpolate
from gdlab.transforms.signals.ratios import square
from gdlab.transforms.signals.scaling import scale


@join
def cube_ratio(eps: NonNegative) -> Function:
    """Join a sum of gradients and a sum of squares: the first over the cube root of the second.

    u = s/(∛v + eps), and 0 where that denominator is 0

    Args:
        eps: ε, in the units of the cube root.

    >>> import jax.numpy as jnp
    >>> from gdlab import cube_ratio
    >>> cube_ratio(1.0)(jnp.array([6.0]), jnp.array([8.0]))
    Array([2.], dtype=float32)
    """

    def divide(s, v):
        # The cube root has no derivative at zero.
        positive = v > 0
        root = jnp.where(positive, jnp.cbrt(jnp.where(positive, v, 1)), v)
        return safe_divide(s, root + eps, at_least=eps)

    return divide


@transformation
def scale_by_madgrad(
    learning_rate: Hyperparameter, momentum: Hyperparameter = 0.9, eps: NonNegative = 1e-6
) -> GradientTransformation:
    """The step of MADGRAD, including its sign: part of the way to the point of dual averaging.

    γₜ = η·√t, sₜ = Σγ·g, νₜ = Σγ·g², zₜ = w₀ − sₜ/(∛νₜ + eps),
    uₜ = (1 − momentum)·(zₜ − wₜ)

    Args:
        learning_rate: η, applied inside both sums.
        momentum: the part of the way that is not taken.
        eps: ε, added outside the cube root.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_madgrad
    >>> tx, params = scale_by_madgrad(1.0, 0.0), jnp.zeros(1)
    >>> tx.update(jnp.array([8.0]), tx.init(params), params)[0].round(4)
    Array([-2.], dtype=float32)

    Source: A. Defazio, S. Jelassi, Adaptivity without compromise: a momentumized, adaptive, dual
    averaged gradient method for stochastic optimization, 2021, algorithm 1.
    """
    weigh = [scale(learning_rate), scale(power_of_count(0.5, steps_ahead=1)), trace(1.0)]
    displacement = fork(cube_ratio(eps), sum=chain(*weigh), nu=chain(square(), *weigh))
    whole = chain(displacement, scale(-1.0), from_start())
    return chain(whole, fork(interpolate(momentum), set_to_zero(), identity()))

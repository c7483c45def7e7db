"""Scaling by the root of the sum of squares of all gradients so far."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.numerics import abs_squared
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import fork, identity
from gdlab.transforms.signals.ratios import ratio_with_eps


@leafwise(nonnegative=True, squares=True)
def sum_of_squares(initial_accumulator_value: NonNegative = 0.0) -> LeafFunctions:
    """Accumulate the squares of all updates so far.

    Gₜ = Gₜ₋₁ + |gₜ|², G₀ = initial_accumulator_value

    >>> import jax.numpy as jnp
    >>> from gdlab import sum_of_squares
    >>> tx = sum_of_squares()
    >>> tx.update(jnp.array([-2.0]), tx.init(jnp.zeros(1)))[0]
    Array([4.], dtype=float32)

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, 2011, figure 1.
    """

    def init(like):
        return jnp.full_like(like, initial_accumulator_value).real

    def update(u, total):
        total = total + abs_squared(u)
        return total, total

    return init, update


@transformation
def scale_by_rss(
    initial_accumulator_value: NonNegative = 0.1,
    eps: NonNegative = 1e-7,
    eps_in_sqrt: bool = True,
) -> GradientTransformation:
    """Divide by the root of the sum of squares of all gradients so far.

    Gₜ = Gₜ₋₁ + gₜ², uₜ = gₜ/√(Gₜ + eps)

    Args:
        initial_accumulator_value: the initial value G₀; 0 in the paper and torch, 0.1 in optax and
            Keras.
        eps: ε, which bounds the step where gradients vanish.
        eps_in_sqrt: whether ε is added inside the root (optax, Keras) or outside (torch).

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_rss
    >>> tx = scale_by_rss(0.0)
    >>> tx.update(jnp.array([-2.0]), tx.init(jnp.zeros(1)))[0]
    Array([-1.], dtype=float32)

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, 2011, figure 1.
    """
    squares = sum_of_squares(initial_accumulator_value)
    return fork(ratio_with_eps(eps, eps_in_sqrt), identity(), sum_of_squares=squares)

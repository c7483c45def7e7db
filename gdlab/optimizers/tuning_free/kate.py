"""KATE: Adagrad without the square root, invariant to the scale of the data."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import abs_squared, safe_divide, safe_sqrt
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(
    slots=("sum_of_squares", "numerator"), nonnegative=("sum_of_squares", "numerator"), squares=True
)
def scale_by_kate(eta: NonNegative = 0.0, eps: NonNegative = 0.0) -> LeafFunctions:
    """Divide by the sum of squared gradients, and multiply by a numerator that grows.

    bₜ² = bₜ₋₁² + gₜ², mₜ² = mₜ₋₁² + eta·gₜ² + gₜ²/(bₜ² + ε), uₜ = mₜ·gₜ/(bₜ² + ε)

    At eta = 0, multiplying the gradients of an element by c divides its updates by c (ε → 0), as
    Newton's method does: the run is the same in any units of the data.

    Args:
        eta: the weight of the sum of squared gradients in the numerator.
        eps: ε, in the squared units of the gradient.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_kate
    >>> tx = scale_by_kate()
    >>> tx.update(jnp.array([4.0]), tx.init(jnp.zeros(1)))[0]
    Array([0.25], dtype=float32)

    Source: S. Choudhury et al., Remove that square root: a new efficient scale-invariant version of
    AdaGrad, 2024, algorithm 1.
    """

    def init(like):
        zeros = jnp.abs(jnp.zeros_like(like))
        return zeros, zeros

    def update(u, state):
        total, numerator = state
        square = abs_squared(u)
        total = total + square
        numerator = numerator + eta * square + safe_divide(square, total + eps)
        return safe_sqrt(numerator) * safe_divide(u, total + eps), (total, numerator)

    return init, update


@transformation
def kate(
    learning_rate: Hyperparameter, eta: NonNegative = 0.0, eps: NonNegative = 0.0
) -> GradientTransformation:
    """Adagrad without the square root, invariant to the scale of the data (KATE).

    wₜ₊₁ = wₜ − α·mₜ·gₜ/(bₜ² + ε), b and m as in :func:`scale_by_kate`

    At eta = 0, on gradients of constant size, steps fall like √(log t)/t.

    When to use:
        For generalised linear models on features of different scales. Its state has two numbers per
        parameter.

    Args:
        learning_rate: α.
        eta: the weight of the sum of squared gradients in the numerator.
        eps: ε, in the squared units of the gradient.

    >>> import jax.numpy as jnp
    >>> from gdlab import kate, minimize
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), kate(10.0), steps=100)
    >>> jnp.all(jnp.abs(run.params - 3.0) < 0.5)
    Array(True, dtype=bool)

    Source: S. Choudhury et al., Remove that square root: a new efficient scale-invariant version of
    AdaGrad, 2024, algorithm 1.
    """
    return chain(scale_by_kate(eta, eps), scale_by_learning_rate(learning_rate))

"""Regression losses."""

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Between
from gdlab.losses.arguments import floating, number_within, of_same_shape


def squared_error(
    predictions: jax.typing.ArrayLike, targets: jax.typing.ArrayLike | None = None
) -> jax.Array:
    """The squared error.

    L = (x − y)²,    ∂L/∂x = 2(x − y),    ∂²L/∂x² = 2

    Args:
        predictions: the predictions x, of any shape.
        targets: the targets y, of the same shape; by default zero.

    Returns:
        The loss of each entry, in at least float32.

    Raises:
        TypeError: if the predictions are no real floating-point numbers.
        ValueError: if the shapes are not the same.

    >>> from gdlab import losses
    >>> losses.squared_error([1.0, 3.0], [0.5, 5.0])
    Array([0.25, 4.  ], dtype=float32)
    """
    return jnp.square(_errors(predictions, targets))


def l2_loss(
    predictions: jax.typing.ArrayLike, targets: jax.typing.ArrayLike | None = None
) -> jax.Array:
    """Half the squared error, whose derivative is the error itself.

    L = ½(x − y)²,    ∂L/∂x = x − y,    ∂²L/∂x² = 1

    Args:
        predictions: the predictions x, of any shape.
        targets: the targets y, of the same shape; by default zero.

    Returns:
        The loss of each entry, in at least float32.

    Raises:
        TypeError: if the predictions are no real floating-point numbers.
        ValueError: if the shapes are not the same.

    >>> from gdlab import losses
    >>> losses.l2_loss([1.0, 3.0], [0.5, 5.0])
    Array([0.125, 2.   ], dtype=float32)
    """
    return 0.5 * jnp.square(_errors(predictions, targets))


def huber_loss(
    predictions: jax.typing.ArrayLike,
    targets: jax.typing.ArrayLike | None = None,
    *,
    delta: jax.typing.ArrayLike = 1.0,
) -> jax.Array:
    """The Huber loss: quadratic for small errors, linear for large ones.

    L = ½e² for |e| ≤ δ, δ(|e| − ½δ) beyond, with e = x − y

    Its derivative is the error clipped to ±δ; its second derivative is 1 for |e| < δ and 0 beyond.

    Args:
        predictions: the predictions x, of any shape.
        targets: the targets y, of the same shape; by default zero.
        delta: δ, above 0.

    Returns:
        The loss of each entry, in at least float32.

    Raises:
        TypeError: if the predictions are no real floating-point numbers.
        ValueError: if the shapes are not the same, or ``delta`` is not positive.

    >>> from gdlab import losses
    >>> losses.huber_loss([0.5, -3.0])
    Array([0.125, 2.5  ], dtype=float32)

    Source: P. J. Huber, Robust estimation of a location parameter, 1964.
    """
    errors = _errors(predictions, targets)
    bound = number_within("delta", delta, Between(0, excludes_low=True), errors.shape).astype(
        errors.dtype
    )
    # A product instead of a modulus, which has no derivative at zero.
    clipped = jnp.clip(errors, -bound, bound)
    return clipped * (errors - 0.5 * clipped)


def _errors(predictions: jax.typing.ArrayLike, targets: jax.typing.ArrayLike | None) -> jax.Array:
    values = floating("predictions", predictions)
    return values if targets is None else values - of_same_shape("targets", targets, values)

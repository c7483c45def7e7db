"""Divergences between probability distributions."""

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Between
from gdlab.losses.arguments import (
    Axis,
    floating,
    mask_like,
    of_same_shape,
    require_logarithms,
    require_within,
    weighed,
)


def kl_divergence(
    log_predictions: jax.typing.ArrayLike,
    targets: jax.typing.ArrayLike,
    axis: Axis | None = -1,
    where: jax.typing.ArrayLike | None = None,
) -> jax.Array:
    """The Kullback–Leibler divergence of predicted probabilities from target probabilities.

    D = ∑ᵢ qᵢ (log qᵢ − log pᵢ), which is not negative, and 0 only for p = q

    An entry with qᵢ = 0 contributes 0, even if pᵢ is 0 too; with qᵢ > 0 = pᵢ the divergence is
    infinite.

    Args:
        log_predictions: the log-probabilities log p, such as from ``jax.nn.log_softmax``.
        targets: q, of the same shape, not negative. Negative ones are refused where they are known,
            and give NaN within a program that is traced.
        axis: the axis or axes of the classes; None for all axes.
        where: which classes take part, of the shape of the predictions, or of theirs without
            ``axis``.

    Returns:
        The divergence for each example, in at least float32.

    Raises:
        TypeError: if the predictions are no real floating-point numbers.
        ValueError: if the shapes are not the same, or targets are known and negative, or the
            predictions positive.

    >>> import jax.numpy as jnp
    >>> from gdlab import losses
    >>> losses.kl_divergence(jnp.log(jnp.array([0.5, 0.5])), [1.0, 0.0])
    Array(0.6931472, dtype=float32)

    Source: S. Kullback, R. A. Leibler, On information and sufficiency, 1951.
    """
    log_predictions = floating("log_predictions", log_predictions)
    targets = of_same_shape("targets", targets, log_predictions)
    require_logarithms("log_predictions", log_predictions)
    require_within("targets", targets, Between(0))
    log_targets = jnp.where(targets == 0, 0, jnp.log(jnp.where(targets == 0, 1, targets)))
    divergences = weighed(targets, log_targets - log_predictions)
    return jnp.sum(divergences, axis, where=mask_like(where, divergences, axis))


def kl_divergence_with_log_targets(
    log_predictions: jax.typing.ArrayLike,
    log_targets: jax.typing.ArrayLike,
    axis: Axis | None = -1,
    where: jax.typing.ArrayLike | None = None,
) -> jax.Array:
    """The same as :func:`kl_divergence`, with the logarithms of the target probabilities.

    D = ∑ᵢ exp(log qᵢ)(log qᵢ − log pᵢ)

    Args:
        log_predictions: the log-probabilities log p, such as from ``jax.nn.log_softmax``.
        log_targets: the log-probabilities log q, of the same shape.
        axis: the axis or axes of the classes; None for all axes.
        where: which classes take part, of the shape of the predictions, or of theirs without
            ``axis``.

    Returns:
        The divergence for each example, in at least float32.

    Raises:
        TypeError: if one of them holds no real floating-point numbers.
        ValueError: if the shapes are not the same.

    >>> import jax
    >>> from gdlab import losses
    >>> same = jax.nn.log_softmax(jax.numpy.array([1.0, 2.0, 4.0]))
    >>> losses.kl_divergence_with_log_targets(same, same)
    Array(0., dtype=float32)

    Source: S. Kullback, R. A. Leibler, On information and sufficiency, 1951.
    """
    log_predictions = floating("log_predictions", log_predictions)
    log_targets = of_same_shape(
        "log_targets", floating("log_targets", log_targets), log_predictions
    )
    require_logarithms("log_predictions", log_predictions)
    require_logarithms("log_targets", log_targets)
    # If both probabilities are 0, the difference of their logarithms would be NaN.
    possible = jnp.where(jnp.isneginf(log_targets), 0, log_targets)
    divergences = weighed(jnp.exp(log_targets), possible - log_predictions)
    return jnp.sum(divergences, axis, where=mask_like(where, divergences, axis))

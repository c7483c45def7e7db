"""Classification losses of logits."""

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Between
from gdlab.checks.values import is_whole_number
from gdlab.core.numerics import widen
from gdlab.losses.arguments import (
    ROUNDING,
    Axis,
    floating,
    integers,
    mask_like,
    number_within,
    of_same_shape,
    require_axes,
    require_within,
    weighed,
)

PADDING_ADVICE = (
    ": classes count from 0; give padding any class, and leave it out of the mean by jnp.where"
)
"""Advice to those who mark examples that do not count by a label."""


def softmax_cross_entropy(
    logits: jax.typing.ArrayLike,
    labels: jax.typing.ArrayLike,
    axis: Axis | None = -1,
    where: jax.typing.ArrayLike | None = None,
) -> jax.Array:
    """The cross-entropy of label probabilities and the softmax of logits.

    L = −∑ᵢ yᵢ log pᵢ, p = softmax(z); where ∑y = 1, ∇L = p − y and ∇²L = diag(p) − ppᵀ

    It does not change if a number is added to all logits. A class with logit −∞ and label 0
    contributes 0.

    Args:
        logits: the logits z, with a class for each entry along ``axis``.
        labels: y, of the same shape.
        axis: the axis or axes of the classes; None for all axes.
        where: which classes take part, of the shape of the logits, or of theirs without ``axis``.

    Returns:
        The loss of each example, in at least float32.

    Raises:
        TypeError: if the logits are no real floating-point numbers.
        ValueError: if the shapes are not the same.

    >>> from gdlab import losses
    >>> losses.softmax_cross_entropy([[2.0, 1.0]], [[1.0, 0.0]]).round(4)
    Array([0.3133], dtype=float32)
    """
    logits = floating("logits", logits)
    labels = of_same_shape("labels", labels, logits)
    mask = mask_like(where, logits, axis)
    losses = -weighed(labels, jax.nn.log_softmax(logits, axis, mask))
    return jnp.sum(losses, axis, where=mask)


def softmax_cross_entropy_with_integer_labels(
    logits: jax.typing.ArrayLike,
    labels: jax.typing.ArrayLike,
    axis: int = -1,
    where: jax.typing.ArrayLike | None = None,
) -> jax.Array:
    """The negative log-probability of a class under the softmax of logits.

    L = log ∑ⱼ exp zⱼ − z_y,    ∇L = p − e_y and ∇²L = diag(p) − ppᵀ with p = softmax(z)

    A label that is no class is refused where it is known; within a program that is traced its loss
    is NaN, and its gradient 0. To leave out examples, padding among them, give them any class, and
    take the mean of ``jnp.where(counts, losses, 0)``.

    Args:
        logits: the logits z, with a class for each entry along ``axis``.
        labels: y, integers from 0 to the number of classes less one, of the shape of the logits
            without ``axis``.
        axis: the axis of the classes.
        where: which classes take part, of the shape of the logits, or of theirs without ``axis``;
            the loss is 0 where none does.

    Returns:
        The loss of each example, in at least float32.

    Raises:
        TypeError: if the logits are no real floating-point numbers, or the labels no integers.
        ValueError: if the shapes do not fit, or a label is known and no class.

    >>> from gdlab import losses
    >>> logits = [[2.0, 1.0], [0.0, 0.0]]
    >>> found = losses.softmax_cross_entropy_with_integer_labels(logits, [0, 1])
    >>> [round(float(loss), 4) for loss in found]
    [0.3133, 0.6931]
    """
    logits, labels = floating("logits", logits), integers("labels", labels)
    if not is_whole_number(axis):
        raise TypeError(f"axis must be one whole number, not {axis!r}")
    require_axes(axis, logits)
    expected = tuple(size for at, size in enumerate(logits.shape) if at != axis % logits.ndim)
    if labels.shape != expected:
        raise ValueError(
            f"labels must have the shape {expected} for logits of shape {logits.shape}, not "
            f"{labels.shape}"
        )
    classes = logits.shape[axis]
    require_within("labels", labels, Between(0, classes - 1), PADDING_ADVICE)
    # An index below 0 would count from the end; one that is too large is filled up by NaN.
    labels = labels.astype(int)
    labels = jnp.where(labels < 0, classes, labels)
    mask = mask_like(where, logits, axis)
    log_probabilities = jax.nn.log_softmax(logits, axis, mask)
    losses = -jnp.take_along_axis(log_probabilities, jnp.expand_dims(labels, axis), axis)
    if mask is not None:
        losses = jnp.where(jnp.any(mask, axis, keepdims=True), losses, 0)
    return jnp.squeeze(losses, axis)


def sigmoid_binary_cross_entropy(
    logits: jax.typing.ArrayLike, labels: jax.typing.ArrayLike
) -> jax.Array:
    """The binary cross-entropy of labels and the sigmoid of logits.

    L = −y log σ(z) − (1 − y) log σ(−z),    ∂L/∂z = σ(z) − y,    ∂²L/∂z² = σ(z)σ(−z)

    Args:
        logits: the logits z, of any shape.
        labels: the labels y, from 0 to 1, of the same shape. Others are refused where they are
            known, and not within a program that is traced.

    Returns:
        The loss of each entry, in at least float32.

    Raises:
        TypeError: if the logits are no real floating-point numbers.
        ValueError: if the shapes are not the same, or labels are known and out of range.

    >>> from gdlab import losses
    >>> losses.sigmoid_binary_cross_entropy([1.0, -100.0], [1, 1]).round(4)
    Array([  0.3133, 100.    ], dtype=float32)
    """
    logits = floating("logits", logits)
    labels = of_same_shape("labels", labels, logits)
    require_within(
        "labels", labels, Between(0, 1), ": 1 means yes, and 0 means no", rounding=ROUNDING
    )
    # Both terms are nonnegative, so that nothing cancels.
    doubts = weighed(labels, jax.nn.softplus(-logits))
    return doubts + weighed(1 - labels, jax.nn.softplus(logits))


def smooth_labels(
    labels: jax.typing.ArrayLike,
    alpha: jax.typing.ArrayLike,
    *,
    axis: Axis | None = -1,
    where: jax.typing.ArrayLike | None = None,
) -> jax.Array:
    """Label smoothing: labels mixed with equal probabilities for all classes.

    y' = (1 − α)y + α/K for K classes

    The cross-entropy of smoothed labels is 1 − α times that of the labels plus α times that of
    equal probabilities.

    Args:
        labels: the probabilities y of the classes along ``axis``.
        alpha: the amount of smoothing α, from 0 to 1.
        axis: the axis or axes of the classes; None for all axes.
        where: which classes take part, and are counted, of the shape of the labels, or of theirs
            without ``axis``.

    Returns:
        The smoothed labels, in at least float32.

    Raises:
        TypeError: if the labels are no real floating-point numbers.
        ValueError: if ``alpha`` is not from 0 to 1.

    >>> from gdlab import losses
    >>> losses.smooth_labels([0.0, 1.0], 0.5)
    Array([0.25, 0.75], dtype=float32)

    Source: C. Szegedy et al., Rethinking the inception architecture for computer vision, 2016,
    section 7.
    """
    labels = floating("labels", labels)
    weight = widen(number_within("alpha", alpha, Between(0, 1), labels.shape).astype(labels.dtype))
    mask = mask_like(where, labels, axis)
    takes_part = jnp.ones_like(labels) if mask is None else jnp.broadcast_to(mask, labels.shape)
    classes = jnp.sum(takes_part, axis, keepdims=True, dtype=labels.dtype)
    return (1 - weight) * labels + weight / classes

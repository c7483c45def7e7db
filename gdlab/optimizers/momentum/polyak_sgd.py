"""Polyak's step size: the distance to the minimum according to the linear model."""

from typing import Literal

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.signals.scaling import scale_by_learning_rate

Variant = Literal["sps", "sps+"]


@transformation(reads="value")
def scale_by_polyak(
    f_min: Hyperparameter = 0.0,
    max_learning_rate: Hyperparameter = 1.0,
    eps: NonNegative = 0.0,
    variant: Variant = "sps",
) -> TreeFunctions:
    """Scale the gradient by Polyak's step size.

    uₜ = γₜ·gₜ, γₜ = min((fₜ − f_min)/(‖gₜ‖² + eps), max_learning_rate), with the norm over the
    whole tree, and 0 where the gradient is 0; "sps+" replaces fₜ − f_min by max(fₜ − f_min, 0).

    Args:
        f_min: the minimum of the loss, or a guess of it.
        max_learning_rate: γ_max.
        eps: added to the square of the norm.
        variant: "sps", or "sps+", which does not ascend if the loss is below ``f_min``.

    Raises:
        ValueError: if the keyword ``value`` is missing, or ``variant`` is another one.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_polyak
    >>> tx = scale_by_polyak()
    >>> g = jnp.array([3.0, 4.0])
    >>> tx.update(g, tx.init(g), value=2.5)[0].round(4)
    Array([0.3, 0.4], dtype=float32)

    Source: N. Loizou, S. Vaswani, I. Laradji, S. Lacoste-Julien, Stochastic Polyak step-size for
    SGD, 2020, eq. 3; sps+: G. Garrigos, R. M. Gower, F. Schaipp, Function value learning, 2023.
    """

    def update(updates, *, value):
        length = tree_norm(updates)
        gap = jnp.asarray(value - f_min, length.dtype)
        gap = jnp.maximum(gap, 0) if variant == "sps+" else gap
        # Divided twice, since the square of a norm overflows or underflows long before the norm.
        damping = safe_divide(jnp.asarray(eps, length.dtype), length)
        step = safe_divide(safe_divide(gap, length), length + damping)
        step = jnp.minimum(step, max_learning_rate)
        return jax.tree.map(lambda u: step.astype(u.real.dtype) * u, updates)

    return update


@transformation
def polyak_sgd(
    max_learning_rate: Hyperparameter = 1.0,
    scaling: Hyperparameter = 1.0,
    f_min: Hyperparameter = 0.0,
    eps: NonNegative = 0.0,
    variant: Variant = "sps",
) -> GradientTransformation:
    """Gradient descent with Polyak's step size, which needs no learning rate.

    wₜ₊₁ = wₜ − scaling·min((fₜ − f_min)/(‖gₜ‖² + eps), max_learning_rate)·gₜ

    If the loss is convex and f_min its minimum, no step increases the distance to a minimiser (for
    a scaling up to 2). Scaling the loss and f_min changes nothing while max_learning_rate is not
    reached.

    When to use:
        Models that can fit all data, so that the minimum of the loss is known: 0 for cross-entropy
        or squares. If it is guessed too low, the steps are too long.

    Args:
        max_learning_rate: γ_max, the longest step size.
        scaling: a factor on the step size. On a quadratic, a step along an eigenvector goes half
            the way to the minimum, so that 2 would be exact.
        f_min: the minimum of the loss.
        eps: added to the square of the norm.
        variant: as for :func:`scale_by_polyak`.

    Raises:
        ValueError: if the keyword ``value`` is missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, polyak_sgd
    >>> tx, w = polyak_sgd(), jnp.array([4.0])
    >>> updates, _ = tx.update(2 * w, tx.init(w), w, value=jnp.sum(w**2))
    >>> apply_updates(w, updates)
    Array([2.], dtype=float32)

    Source: N. Loizou, S. Vaswani, I. Laradji, S. Lacoste-Julien, Stochastic Polyak step-size for
    SGD: an adaptive learning rate for fast convergence, 2020, eq. 3.
    """
    polyak = scale_by_polyak(f_min, max_learning_rate, eps, variant)
    return chain(polyak, scale_by_learning_rate(scaling))

"""Fromage: every layer changes by the same relative amount, without growing."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.norms.trust_ratio import scale_by_trust_ratio
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(reads="param")
def compensate_growth(relative_step: Hyperparameter) -> LeafFunctions:
    """Divide the parameters after a step by the factor by which an orthogonal step lengthens them.

    wₜ + uₜ = (wₜ + sₜ)/√(1 + η²), where sₜ is the input, a step

    Args:
        relative_step: η, the norm of the step relative to that of the parameters.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, compensate_growth
    >>> tx, w = compensate_growth(0.75), jnp.array([4.0, 0.0])
    >>> step = jnp.array([0.0, 3.0])
    >>> apply_updates(w, tx.update(step, tx.init(w), w)[0]).round(4)
    Array([3.2, 2.4], dtype=float32)
    """

    def update(u, param):
        length = jnp.sqrt(1 + relative_step**2)
        # 1/length − 1, without the cancellation that would lose it if η² is below rounding.
        return u / length - param * (relative_step**2 / (length * (1 + length)))

    return update


@transformation
def fromage(learning_rate: Hyperparameter, min_norm: NonNegative = 1e-6) -> GradientTransformation:
    """Fromage: steps of one relative size in every layer that do not make the weights grow.

    wₜ₊₁ = (wₜ − η·gₜ·‖wₜ‖/‖gₜ‖)/√(1 + η²), with the norms of each array

    Scaling the gradient of an array changes nothing, and scaling its weights scales its steps. If
    the gradient is orthogonal to the weights, as before a normalisation, their norm is constant.

    When to use:
        Networks whose layers differ much in scale, with one learning rate such as 0.01 for all. It
        needs no weight decay.

    Args:
        learning_rate: η, the relative size of a step.
        min_norm: the least value of both norms, so that zero weights move.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, fromage
    >>> tx, w = fromage(0.75), jnp.array([4.0, 0.0])
    >>> gradient = jnp.array([0.0, -100.0])
    >>> apply_updates(w, tx.update(gradient, tx.init(w), w)[0]).round(4)
    Array([3.2, 2.4], dtype=float32)

    Source: J. Bernstein, A. Vahdat, Y. Yue, M.-Y. Liu, On the distance between two neural networks
    and the stability of learning, 2020, algorithm 1.
    """
    return chain(
        scale_by_trust_ratio(min_norm),
        scale_by_learning_rate(learning_rate),
        compensate_growth(learning_rate),
    )

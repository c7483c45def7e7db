"""LARS: a learning rate for each layer, in proportion to the norm of its weights."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.norms.norms import norm
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(reads="param")
def scale_by_lars(
    weight_decay: Hyperparameter = 0.0,
    weight_decay_mask: Mask = None,
    trust_coefficient: Hyperparameter = 0.001,
    eps: NonNegative = 0.0,
    trust_ratio_mask: Mask = None,
) -> LeafFunctions:
    """The direction of LARS: each array's gradient, in proportion to the norm of its weights.

    uₜ = (gₜ + λ·wₜ)·trust_coefficient·‖wₜ‖/(‖gₜ‖ + λ·‖wₜ‖ + eps), and gₜ + λ·wₜ where the weights
    or that denominator are 0

    Without decay it is :func:`scale_by_trust_ratio`.

    Args:
        weight_decay: λ.
        weight_decay_mask: which leaves decay, as in :func:`add_decayed_weights`.
        trust_coefficient: η of the paper.
        eps: added to the denominator.
        trust_ratio_mask: which leaves are scaled; for the others the result is gₜ + λ·wₜ.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_lars
    >>> tx = scale_by_lars(trust_coefficient=0.1)
    >>> params = jnp.array([6.0, 8.0])
    >>> tx.update(jnp.array([0.0, 5.0]), tx.init(params), params)[0]
    Array([0., 1.], dtype=float32)

    Source: Y. You, I. Gitman, B. Ginsburg, Large batch training of convolutional networks, 2017,
    algorithm 1.
    """
    decays = weight_decay_mask is None or weight_decay_mask
    is_scaled = trust_ratio_mask is None or trust_ratio_mask

    def update(u, param):
        weights, length = norm(param), norm(u, ignore_nan=True) + eps
        if decays:
            u, length = u + weight_decay * param, length + weight_decay * weights
        if not is_scaled:
            return u
        scaled = safe_divide(u, length) * (trust_coefficient * weights)
        return jnp.where((weights > 0) & (length > 0), scaled, u)

    return update


@transformation
def lars(
    learning_rate: Hyperparameter,
    weight_decay: Hyperparameter = 0.0,
    weight_decay_mask: Mask = None,
    trust_coefficient: Hyperparameter = 0.001,
    eps: NonNegative = 0.0,
    trust_ratio_mask: Mask = None,
    momentum: Hyperparameter = 0.9,
    nesterov: bool = False,
) -> GradientTransformation:
    """LARS: momentum, with a learning rate for each layer in proportion to its weights' norm.

    vₜ = β·vₜ₋₁ + η·rₜ·(gₜ + λ·wₜ), wₜ₊₁ = wₜ − vₜ, with rₜ = trust_coefficient·‖wₜ‖/(‖gₜ‖ + λ·‖wₜ‖)
    for each array

    Scaling the gradient of a layer changes nothing (λ = ε = 0), and scaling its weights scales its
    steps: the relative change of every layer is trust_coefficient·η, up to momentum.

    When to use:
        Convolutional networks with batches of thousands; both masks should leave out biases and the
        gains of normalisations. For transformers :func:`lamb` is the usual choice.

    Args:
        learning_rate: η, applied inside the velocity.
        weight_decay: λ, added to the gradient before the scaling.
        weight_decay_mask: which leaves decay, as in :func:`add_decayed_weights`.
        trust_coefficient: the relative change of a layer per unit of the learning rate.
        eps: added to the denominator.
        trust_ratio_mask: which leaves are scaled; all unless given.
        momentum: β, the decay of the velocity.
        nesterov: whether the step looks one step ahead along the velocity.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import lars
    >>> tx = lars(1.0, trust_coefficient=0.1)
    >>> params = jnp.array([6.0, 8.0])
    >>> tx.update(jnp.array([0.0, 5.0]), tx.init(params), params)[0]
    Array([ 0., -1.], dtype=float32)

    Source: Y. You, I. Gitman, B. Ginsburg, Large batch training of convolutional networks, 2017,
    algorithm 1.
    """
    return chain(
        scale_by_lars(weight_decay, weight_decay_mask, trust_coefficient, eps, trust_ratio_mask),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov),
    )

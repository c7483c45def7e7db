"""Updates scaled in proportion to the norm of the weights, array by array."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import leafwise
from gdlab.transforms.norms.norms import norm, rms


@leafwise(reads="param")
def scale_by_trust_ratio(
    min_norm: NonNegative = 0.0,
    trust_coefficient: Hyperparameter = 1.0,
    eps: NonNegative = 0.0,
) -> LeafFunctions:
    """Scale the update of each array in proportion to the norm of its weights.

    uₜ = gₜ·trust_coefficient·‖wₜ‖/(‖gₜ‖ + eps), and gₜ where one of the norms is 0; norms below
    min_norm are replaced by it

    Scaling the gradient of an array changes nothing (ε → 0), and scaling its weights scales its
    update: the relative change of the weights is trust_coefficient times the learning rate.

    Args:
        min_norm: the least value of both norms.
        trust_coefficient: η of LARS.
        eps: ε, added to the norm of the update.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_trust_ratio
    >>> tx = scale_by_trust_ratio(trust_coefficient=0.1)
    >>> params = jnp.array([6.0, 8.0])
    >>> tx.update(jnp.array([0.0, 5.0]), tx.init(params), params)[0]
    Array([0., 1.], dtype=float32)

    Source: Y. You, I. Gitman, B. Ginsburg, Large batch training of convolutional networks, 2017,
    eq. 6.
    """

    def update(u, param):
        weights = jnp.maximum(norm(param), min_norm)
        # A NaN stays in its own element and does not affect the norm.
        length = jnp.maximum(norm(u, ignore_nan=True), min_norm)
        scaled = safe_divide(u, length + eps) * (trust_coefficient * weights)
        return jnp.where((weights > 0) & (length > 0), scaled, u)

    return update


@leafwise(reads="param")
def scale_by_param_block_norm(min_scale: NonNegative = 1e-3) -> LeafFunctions:
    """Multiply the update of each array by the norm of its weights.

    uₜ = gₜ·max(‖wₜ‖, min_scale)

    Args:
        min_scale: the least factor, so that weights that start at zero can grow.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_param_block_norm
    >>> tx = scale_by_param_block_norm()
    >>> params = jnp.array([3.0, 4.0])
    >>> tx.update(jnp.ones(2), tx.init(params), params)[0]
    Array([5., 5.], dtype=float32)
    """
    return lambda u, param: u * jnp.maximum(norm(param), min_scale)


@leafwise(reads="param")
def scale_by_param_block_rms(min_scale: NonNegative = 1e-3) -> LeafFunctions:
    """Multiply the update of each array by the root mean square of its weights.

    uₜ = gₜ·max(rms(wₜ), min_scale), with rms(w) = ‖w‖/√n for an array of n elements

    Args:
        min_scale: the least factor, so that weights that start at zero can grow.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_param_block_rms
    >>> tx = scale_by_param_block_rms()
    >>> params = jnp.array([3.0, -3.0])
    >>> tx.update(jnp.ones(2), tx.init(params), params)[0]
    Array([3., 3.], dtype=float32)

    Source: N. Shazeer, M. Stern, Adafactor: adaptive learning rates with sublinear memory cost,
    2018, section 8.
    """
    return lambda u, param: u * jnp.maximum(rms(param), min_scale)

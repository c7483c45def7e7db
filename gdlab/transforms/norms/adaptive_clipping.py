"""Bounds on the updates of each unit, in proportion to its weights."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.structure import Number
from gdlab.core.transformation import leafwise
from gdlab.transforms.norms.norms import Axes, unitwise_norm


@leafwise(reads="param")
def adaptive_grad_clip(
    clipping: NonNegative, eps: NonNegative = 1e-3, axis: Axes = None
) -> LeafFunctions:
    """Bound the norm of each unit of the updates by a multiple of the norm of its weights.

    uᵢ = gᵢ·min(1, clipping·max(‖wᵢ‖, eps)/‖gᵢ‖), where i runs over units, as
    :func:`unitwise_norm` defines them

    The relative change of each unit's weights stays bounded however large the gradients become.
    Scaling the weights and the gradient of a unit by one factor scales its update by it (ε → 0).

    Args:
        clipping: λ, the largest allowed ratio of the gradient's norm to the weights' norm.
        eps: ε, the least norm of weights that the bound uses, so that weights that start at zero
            can grow.
        axis: the axes that a unit spans; by the convention of :func:`unitwise_norm` unless given.
            optax's convention differs on arrays with three axes.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import adaptive_grad_clip
    >>> tx = adaptive_grad_clip(0.1)
    >>> params = jnp.array([[3.0, 0.0], [4.0, 1.0]])
    >>> tx.update(jnp.ones((2, 2)), tx.init(params), params)[0].round(4)
    Array([[0.3536, 0.0707],
           [0.3536, 0.0707]], dtype=float32)

    Source: A. Brock, S. De, S. L. Smith, K. Simonyan, High-performance large-scale image
    recognition without normalization, 2021, eq. 3.
    """

    def update(u, param):
        # A NaN stays in its own element and does not affect the bound on the others of its unit.
        measured = unitwise_norm(jnp.where(jnp.isnan(u), 0, u), axis)
        longest = clipping * jnp.maximum(unitwise_norm(param, axis), eps)
        return unitwise_clip(measured, longest, u)

    return update


def unitwise_clip(
    g_norm: jax.Array, max_norm: jax.Array, grad: jax.Array, div_eps: Number = 1e-6
) -> jax.Array:
    """A gradient, each unit of which is scaled down to the norm allowed for it.

    Args:
        g_norm: the norm of each element's unit, in the shape of ``grad``.
        max_norm: the largest norm allowed for that unit, in the same shape.
        grad: the gradient.
        div_eps: the least value by which the gradient is divided.

    Raises:
        ValueError: if the norms do not have the shape of ``grad``.

    >>> import jax.numpy as jnp
    >>> from gdlab import unitwise_clip, unitwise_norm
    >>> grad = jnp.array([3.0, 4.0])
    >>> unitwise_clip(unitwise_norm(grad), jnp.ones(2), grad)
    Array([0.6, 0.8], dtype=float32)
    """
    for name, norms in (("g_norm", g_norm), ("max_norm", max_norm)):
        if jnp.shape(norms) != jnp.shape(grad):
            raise ValueError(
                f"{name} must have the shape of grad, {jnp.shape(grad)}, not {jnp.shape(norms)}"
            )
    shorter = grad * (max_norm / jnp.maximum(g_norm, div_eps))
    return jnp.where(g_norm < max_norm, grad, shorter)

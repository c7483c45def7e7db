"""Updates scaled to a given norm, so that only their direction matters."""

import jax

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.norms.norms import tree_norm


@transformation
def normalize_by_update_norm(
    scale_factor: Hyperparameter = 1.0, eps: NonNegative = 1e-6
) -> TreeFunctions:
    """Scale all updates together to one length.

    uₜ = scale_factor·gₜ/(‖gₜ‖ + eps), with the norm over the whole tree

    Scaling the loss changes nothing (ε → 0): the length of a step is set by the learning rate.

    Args:
        scale_factor: the norm of the result.
        eps: ε, added to the norm, which makes steps small where gradients are smaller than it.

    >>> import jax.numpy as jnp
    >>> from gdlab import normalize_by_update_norm
    >>> tx = normalize_by_update_norm(2.0, eps=0.0)
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))[0]
    Array([1.2, 1.6], dtype=float32)
    """

    def update(updates):
        # A NaN stays in its own element and does not affect the norm.
        length = tree_norm(updates, ignore_nan=True) + eps
        return jax.tree.map(
            lambda u: scale_factor * safe_divide(u, length.astype(u.real.dtype)), updates
        )

    return update


@transformation
def normalize() -> GradientTransformation:
    """Divide all updates together by their norm.

    uₜ = gₜ/‖gₜ‖, and 0 where the norm is 0

    optax returns NaN for zero gradients.

    >>> import jax.numpy as jnp
    >>> from gdlab import normalize
    >>> tx = normalize()
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))[0]
    Array([0.6, 0.8], dtype=float32)
    """
    return normalize_by_update_norm(eps=0.0)

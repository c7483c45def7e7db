"""Functions of each element of the updates by itself."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import leafwise


@leafwise
def scale_by_sign() -> LeafFunctions:
    """Take the sign of each element, or the phase of a complex one.

    uₜ = sign(gₜ): 1, −1, or 0 where the gradient is 0; g/|g| for complex numbers

    The updates do not depend on the scale of the loss.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_sign
    >>> tx = scale_by_sign()
    >>> tx.update(jnp.array([-3.0, 0.0, 0.5]), tx.init(jnp.zeros(3)))[0]
    Array([-1.,  0.,  1.], dtype=float32)

    Source: J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar, signSGD: compressed
    optimisation for non-convex problems, 2018, algorithm 1.
    """
    return jnp.sign


@leafwise
def shift(by: Hyperparameter) -> LeafFunctions:
    """Add a number to each element.

    uₜ = gₜ + by

    >>> import jax.numpy as jnp
    >>> from gdlab import shift
    >>> tx = shift(0.5)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.zeros(1)))[0]
    Array([1.5], dtype=float32)
    """
    return lambda u: u + by

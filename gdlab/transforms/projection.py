"""Updates that keep the parameters where they may be."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import leafwise


@leafwise(reads="param")
def project_onto_box(lower: Hyperparameter, upper: Hyperparameter) -> LeafFunctions:
    """Cut the updates off where the parameters would leave a box.

    uₜ = max(lower, min(wₜ + gₜ, upper)) − wₜ

    It is the last link of a chain: projected gradient descent, after the learning rate.

    Args:
        lower: the smallest value of every element, a number or a tree of one for each leaf.
        upper: the largest.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, minimize, project_onto_box, sgd
    >>> tx = chain(sgd(1.0), project_onto_box(-1.0, 1.0))
    >>> minimize(lambda w: 0.25 * w, 0.0, tx, steps=5).path
    Array([ 0.  , -0.25, -0.5 , -0.75, -1.  , -1.  ], dtype=float32)
    """
    return lambda u, param: jnp.clip(param + u, lower, upper) - param

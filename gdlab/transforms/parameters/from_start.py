"""Displacements from the initial parameters, made updates of the present ones."""

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import leafwise


@leafwise(reads="param", init_reads="param")
def from_start(momentum: Hyperparameter = 0.0) -> LeafFunctions:
    """Go to where the input is, counted from the initial parameters.

    uₜ = (1 − momentum)·(w₀ + dₜ − wₜ) for the displacement dₜ, so that
    wₜ₊₁ = momentum·wₜ + (1 − momentum)·(w₀ + dₜ); one word a parameter keeps w₀.

    Methods of dual averaging give such displacements. To average the places to which they lead has
    the effect of momentum.

    Args:
        momentum: the weight of the present parameters, in [0, 1).

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import from_start
    >>> tx = from_start()
    >>> state = tx.init(jnp.array([1.0]))
    >>> tx.update(jnp.array([0.5]), state, jnp.array([4.0]))[0]
    Array([-2.5], dtype=float32)

    Source: Y. Nesterov, Primal-dual subgradient methods for convex problems, 2009, eq. 2.14.
    """

    def init(_, param):
        return param

    def update(u, start, *, param):
        return (1 - momentum) * (start - param + u), start

    return init, update

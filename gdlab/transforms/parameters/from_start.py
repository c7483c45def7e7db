"""Turn displacements from the initial parameters into updates of the current ones."""

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import leafwise


@leafwise(reads="param", init_reads="param")
def from_start(momentum: Hyperparameter = 0.0) -> LeafFunctions:
    """Move towards the initial parameters plus the input.

    uₜ = (1 − momentum)·(w₀ + dₜ − wₜ) for the displacement dₜ, so that wₜ₊₁ = momentum·wₜ + (1 −
    momentum)·(w₀ + dₜ). The state holds w₀.

    Methods of dual averaging compute such displacements. Averaging the points w₀ + dₜ acts like
    momentum.

    Args:
        momentum: the weight of the current parameters, in [0, 1).

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

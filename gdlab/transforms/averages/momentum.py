"""Momentum, accumulating: the sum of past gradients, older ones weighing less."""

import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import storage_dtype
from gdlab.core.transformation import leafwise


@leafwise(nonnegative="like input")
def trace(
    decay: Hyperparameter, nesterov: bool = False, accumulator_dtype: StorageDType | None = None
) -> LeafFunctions:
    """Momentum, accumulating: the sum of past gradients, older ones weighing less.

    vₜ = decay·vₜ₋₁ + gₜ, v₀ = 0; the output is vₜ, or gₜ + decay·vₜ with ``nesterov``.

    On a constant gradient it grows to g/(1 − decay); it equals :func:`ema` divided by 1 − decay.

    Args:
        decay: weight β of the old value, in [0, 1).
        nesterov: look one step ahead along the velocity (Bengio et al. 2012, eq. 7).
        accumulator_dtype: dtype in which v is stored; the parameter's, at least float32.

    >>> import jax.numpy as jnp
    >>> from gdlab import trace
    >>> tx = trace(0.5)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 1.0, 0.0):
    ...     v, state = tx.update(jnp.array([g]), state)
    ...     print(v)
    [1.]
    [1.5]
    [0.75]

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964,
    eq. 9.
    """

    def init(like):
        return jnp.zeros_like(like, dtype=storage_dtype(like, accumulator_dtype))

    def update(u, v):
        v = decay * v + u
        return (u + decay * v if nesterov else v), v

    return init, update

"""The mean of the last few values, all of which are kept."""

import jax.numpy as jnp

from gdlab.checks.kinds import Length, StorageDType
from gdlab.core.authoring import LeafFunctions
from gdlab.core.numerics import storage_dtype
from gdlab.core.transformation import leafwise


@leafwise
def moving_average(window: Length, accumulator_dtype: StorageDType | None = None) -> LeafFunctions:
    """Simple moving average: the mean of the last few values, zeros before the first of them.

    mₜ = (gₜ + gₜ₋₁ + … + gₜ₋ₙ₊₁)/n, g₀ = g₋₁ = … = 0; the value k steps back weighs 1/n, or nothing
    from k = n on. ``debias(moving_average(n))`` is the mean of those that there are.

    The state is the window, the newest value first, along a new leading axis.

    It forgets at once what :func:`ema` forgets little by little, and keeps n values for that, where
    the other keeps one. Among all averages with the same window it leaves the least noise.

    Args:
        window: n, how many values are averaged.
        accumulator_dtype: dtype in which they are stored; the parameter's, at least float32.

    Raises:
        ValueError: if ``window`` is not from 1 to a million, since all values are kept.

    >>> import jax.numpy as jnp
    >>> from gdlab import moving_average
    >>> tx = moving_average(2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for price in (12.0, 11.0, 10.0):
    ...     mean, state = tx.update(jnp.array([price]), state)
    ...     print(mean)
    [6.]
    [11.5]
    [10.5]

    Source: A. V. Oppenheim, R. W. Schafer, Discrete-time signal processing, 1999, section 2.2.
    """

    def init(like):
        dtype = storage_dtype(like, accumulator_dtype)
        return jnp.broadcast_to(jnp.zeros_like(like, dtype), (window, *like.shape))

    def update(u, latest):
        latest = jnp.concatenate([u[None], latest[:-1]])
        # Summed anew every time: what is added and later taken away would leave its rounding.
        return jnp.sum(latest, 0) / window, latest

    return init, update

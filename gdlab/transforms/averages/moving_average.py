"""Simple moving averages, which keep the last values."""

import jax.numpy as jnp

from gdlab.checks.kinds import Length, StorageDType
from gdlab.core.authoring import LeafFunctions
from gdlab.core.numerics import storage_dtype
from gdlab.core.transformation import leafwise


@leafwise
def moving_average(window: Length, accumulator_dtype: StorageDType | None = None) -> LeafFunctions:
    """Simple moving average: the mean of the last values, with zeros before the first.

    mₜ = (gₜ + gₜ₋₁ + … + gₜ₋ₙ₊₁)/n, g₀ = g₋₁ = … = 0; the value k steps back has the weight 1/n for
    k < n, and 0 otherwise. ``debias(moving_average(n))`` is the mean of the values so far.

    The state is the window, the newest value first, along a new leading axis.

    It forgets a value abruptly where :func:`ema` forgets gradually, and keeps n values instead of
    one. Of all averages with the same window it has the smallest variance.

    Args:
        window: the number n of values that are averaged.
        accumulator_dtype: dtype in which the values are stored; the parameter's, at least float32.

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
        # Summed at each step, since a running sum would accumulate rounding errors.
        return jnp.sum(latest, 0) / window, latest

    return init, update

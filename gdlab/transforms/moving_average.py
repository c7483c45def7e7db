"""The mean of the last few values, all of which are kept."""

import operator
from typing import Any, NamedTuple

import jax.numpy as jnp

from gdlab.core.transformation import leafwise


class MovingAverageState(NamedTuple):
    """State of :func:`moving_average`."""

    latest: tuple[Any, ...]
    """The values in the window, the newest first, each shaped like the parameters."""


@leafwise
def moving_average(window: int, accumulator_dtype: Any = None) -> Any:
    """Simple moving average: the mean of the last few values, zeros before the first of them.

    mₜ = (gₜ + gₜ₋₁ + … + gₜ₋ₙ₊₁)/n, g₀ = g₋₁ = … = 0; the value k steps back weighs 1/n, or nothing
    from k = n on. ``debias(moving_average(n))`` is the mean of those that there are.

    It forgets at once what :func:`ema` forgets little by little, and keeps n values for that, where
    the other keeps one. Among all averages with the same window it leaves the least noise.

    Args:
        window: n, how many values are averaged.
        accumulator_dtype: dtype in which they are stored; the parameter's, at least float32.

    Raises:
        ValueError: if ``window`` is not at least 1.

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
    count = operator.index(window)
    if count < 1:
        raise ValueError(f"window must be at least 1 value, not {count}")

    def init(param):
        nothing = jnp.zeros_like(param, dtype=accumulator_dtype)
        return MovingAverageState((nothing,) * count)

    def update(u, state):
        latest = (u, *state.latest[:-1])
        # Summed anew every time: what is added and later taken away would leave its rounding.
        return sum(latest) / count, MovingAverageState(latest)

    return init, update

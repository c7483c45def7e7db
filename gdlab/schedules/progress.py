"""Steps and values of schedules: how long ago, how much of a stretch, which period.

A difference of steps is taken before it is rounded, so that it is exact however many steps there
have been.
"""

import jax
import jax.numpy as jnp

from gdlab.core.ranges import require_count
from gdlab.core.structure import Number

LATEST = 2**30
"""The last step from which integers are subtracted."""


def since(count: jax.Array, begin: Number) -> jax.Array:
    """The steps from ``begin`` to ``count``, negative before it."""
    require_count("a boundary of a schedule", begin)
    is_step = jnp.issubdtype(count.dtype, jnp.integer)
    if is_step and isinstance(begin, int):
        return (count - begin).astype(float)
    begin = jnp.asarray(begin, dtype=float)
    if not is_step:
        return count.astype(begin.dtype) - begin
    whole = jnp.clip(jnp.floor(begin), 0, LATEST)
    steps = count - whole.astype(count.dtype)
    return steps.astype(begin.dtype) - (begin - whole)


def has_begun(count: jax.Array, begin: Number) -> jax.Array:
    """Tell whether a step is at or behind another one."""
    return since(count, begin) >= 0


def progress(count: jax.Array, begin: Number, steps: Number) -> jax.Array:
    """The done share of a stretch of ``steps``, from 0 to 1; an empty one is done at once."""
    length, gone = jnp.asarray(steps, dtype=float), since(count, begin)
    fraction = jnp.clip(gone / jnp.where(length > 0, length, 1.0), 0, 1)
    return jnp.where(length > 0, fraction, jnp.where(gone >= 0, 1.0, 0.0))


def transitions(count: jax.Array, begin: Number, steps: Number, staircase: bool) -> jax.Array:
    """The number of times that ``steps`` have gone by since ``begin``; 0 if there are none of them.

    Args:
        count: the step.
        begin: the step from which they are counted.
        steps: how many make one.
        staircase: whether only whole ones count.
    """
    length, gone = jnp.asarray(steps, dtype=float), jnp.maximum(since(count, begin), 0)
    number = jnp.where(length > 0, gone / jnp.where(length > 0, length, 1.0), 0.0)
    return jnp.floor(number) if staircase else number


def period_of(count: jax.Array, steps: Number) -> tuple[jax.Array, jax.Array]:
    """The period of ``steps`` in which a step is, counted from 0, and the steps since it began.

    The derivative by ``steps`` is that within a period: it does not see the jump at its end.
    """
    steps = jnp.asarray(steps, dtype=float)
    length = jax.lax.stop_gradient(jnp.where(steps > 0, steps, 1.0))
    within = jnp.mod(count.astype(length.dtype), length)
    number = jnp.round((count.astype(length.dtype) - within) / length)
    if jnp.issubdtype(count.dtype, jnp.integer):
        whole = jnp.clip(jnp.round(length), 1, LATEST)
        divisor = whole.astype(count.dtype)
        within = jnp.where(length == whole, (count % divisor).astype(length.dtype), within)
        number = jnp.where(length == whole, (count // divisor).astype(length.dtype), number)
    # Integers have no derivatives: adding nothing gives the one that the difference has.
    finite = jnp.where(jnp.isfinite(steps), steps, 0.0)
    return number, within - number * (finite - jax.lax.stop_gradient(finite))


def between(start: Number, end: Number, fraction: jax.Array) -> jax.Array:
    """A value from ``start`` to ``end``, both of them exactly at the ends."""
    return jnp.where(fraction < 1, start + (end - start) * fraction, end)


def raised(base: jax.Array, exponent: Number) -> jax.Array:
    """A power of a number that is not negative, 0 at 0, where the derivatives are 0 as well."""
    positive = base > 0
    return jnp.where(positive, jnp.where(positive, base, 1.0) ** exponent, 0.0)

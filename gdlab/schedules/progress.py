"""Arithmetic of steps for schedules: differences, fractions of a transition, and periods.

Differences of steps are taken in integers before conversion to floats, so that they are exact for
any step count.
"""

import jax
import jax.numpy as jnp

from gdlab.core.ranges import require_count
from gdlab.core.structure import Number

LATEST = 2**30
"""The largest step that is subtracted as an integer."""


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
    """Tell whether ``begin`` has been reached."""
    return since(count, begin) >= 0


def progress(count: jax.Array, begin: Number, steps: Number) -> jax.Array:
    """The completed fraction of a transition of ``steps``, from 0 to 1; 1 if it is empty."""
    length, gone = jnp.asarray(steps, dtype=float), since(count, begin)
    fraction = jnp.clip(gone / jnp.where(length > 0, length, 1.0), 0, 1)
    return jnp.where(length > 0, fraction, jnp.where(gone >= 0, 1.0, 0.0))


def transitions(count: jax.Array, begin: Number, steps: Number, staircase: bool) -> jax.Array:
    """The number of periods of ``steps`` since ``begin``; 0 if ``steps`` is 0.

    Args:
        count: the step.
        begin: the step at which counting begins.
        steps: the length of a period.
        staircase: whether the number is rounded down.
    """
    length, gone = jnp.asarray(steps, dtype=float), jnp.maximum(since(count, begin), 0)
    number = jnp.where(length > 0, gone / jnp.where(length > 0, length, 1.0), 0.0)
    return jnp.floor(number) if staircase else number


def period_of(count: jax.Array, steps: Number) -> tuple[jax.Array, jax.Array]:
    """The index of the period of ``steps`` that contains a step, and the steps since its begin.

    The derivative with respect to ``steps`` is that within a period, without the jump at its end.
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
    # Integers have no derivatives: add a zero with the derivative of the difference.
    finite = jnp.where(jnp.isfinite(steps), steps, 0.0)
    return number, within - number * (finite - jax.lax.stop_gradient(finite))


def between(start: Number, end: Number, fraction: jax.Array) -> jax.Array:
    """Interpolate from ``start`` to ``end``, exactly at both ends."""
    return jnp.where(fraction < 1, start + (end - start) * fraction, end)


def raised(base: jax.Array, exponent: Number) -> jax.Array:
    """A power of a nonnegative number, defined as 0 at 0 with zero derivatives."""
    positive = base > 0
    return jnp.where(positive, jnp.where(positive, base, 1.0) ** exponent, 0.0)

"""Schedules: step ↦ value, each a pytree of its own numbers.

They count steps from 0 and hold their last value. Lengths are numbers like any others, so that a
warm-up can be swept.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, constant_schedule
from gdlab.core.schedule import Schedule, schedule
from gdlab.core.structure import Function, Number

__all__ = [
    "constant_schedule",
    "cosine_decay_schedule",
    "exponential_decay",
    "join_schedules",
    "linear_schedule",
    "piecewise_constant_schedule",
    "polynomial_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_stable_decay_schedule",
]


@schedule
def polynomial_schedule(
    init_value: Hyperparameter,
    end_value: Hyperparameter,
    power: Hyperparameter,
    transition_steps: Hyperparameter,
    transition_begin: Hyperparameter = 0,
) -> Function:
    """From one value to another along a power of the time that is left.

    η(t) = end + (init − end)·(1 − s)^power, s = clip((t − begin)/steps, 0, 1)

    Args:
        init_value: the value up to step ``transition_begin``.
        end_value: the value from ``transition_begin + transition_steps`` on.
        power: 1 is a straight line.
        transition_steps: length of the transition, in steps; 0 jumps to the end.
        transition_begin: the step at which it begins.

    >>> from gdlab import polynomial_schedule
    >>> [float(polynomial_schedule(1.0, 0.0, 2.0, 4)(t)) for t in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    def value(count):
        left = 1 - _progress(count, transition_begin, transition_steps)
        # 0 ** power has no derivative by the power.
        return _between(
            end_value, init_value, jnp.where(left > 0, jnp.where(left > 0, left, 1.0) ** power, 0.0)
        )

    return value


@schedule
def linear_schedule(
    init_value: Hyperparameter,
    end_value: Hyperparameter,
    transition_steps: Hyperparameter,
    transition_begin: Hyperparameter = 0,
) -> Function:
    """From one value to another along a straight line.

    η(t) = init + (end − init)·clip((t − begin)/steps, 0, 1)

    Args:
        init_value: the value up to step ``transition_begin``.
        end_value: the value from ``transition_begin + transition_steps`` on.
        transition_steps: length of the transition, in steps; 0 jumps to the end.
        transition_begin: the step at which it begins.

    >>> from gdlab import linear_schedule
    >>> [float(linear_schedule(0.5, 0.9, 4)(t)) for t in (0, 2, 9)]
    [0.5, 0.699999988079071, 0.8999999761581421]
    """

    def value(count):
        return _between(init_value, end_value, _progress(count, transition_begin, transition_steps))

    return value


@schedule
def exponential_decay(
    init_value: Hyperparameter,
    transition_steps: Hyperparameter,
    decay_rate: Hyperparameter,
    transition_begin: Hyperparameter = 0,
    staircase: bool = False,
    end_value: Hyperparameter | None = None,
) -> Function:
    """Multiply by a rate every so many steps, smoothly or at once.

    η(t) = init·rate^((t − begin)/steps), the exponent rounded down on a staircase

    Args:
        init_value: the value up to step ``transition_begin``.
        transition_steps: steps for one factor of ``decay_rate``; 0 never decays.
        decay_rate: the factor, positive.
        transition_begin: the step at which it begins.
        staircase: whether the value falls once every ``transition_steps`` only.
        end_value: a bound that is not passed: below if ``decay_rate < 1``, above otherwise.

    >>> from gdlab import exponential_decay
    >>> [float(exponential_decay(8.0, 2, 0.5)(t)) for t in (0, 2, 4)]
    [8.0, 4.0, 2.0]
    """

    def value(count):
        length = jnp.asarray(transition_steps, dtype=float)
        elapsed = jnp.maximum(count.astype(length.dtype) - transition_begin, 0)
        factors = jnp.where(length > 0, elapsed / jnp.where(length > 0, length, 1.0), 0.0)
        factors = jnp.floor(factors) if staircase else factors
        current = init_value * jnp.power(decay_rate, factors)
        if end_value is None:
            return current
        falling = jnp.maximum(current, end_value)
        return jnp.where(jnp.asarray(decay_rate) < 1, falling, jnp.minimum(current, end_value))

    return value


@schedule
def cosine_decay_schedule(
    init_value: Hyperparameter,
    decay_steps: Hyperparameter,
    alpha: Hyperparameter = 0.0,
    exponent: Hyperparameter = 1.0,
) -> Function:
    """Down along half a cosine.

    η(t) = init·((1 − α)·(½(1 + cos πs))^exponent + α), s = clip(t/decay_steps, 0, 1)

    Args:
        init_value: the value at step 0.
        decay_steps: length of the decay, in steps.
        alpha: α, the last value as a fraction of the first.
        exponent: power of the cosine.

    >>> from gdlab import cosine_decay_schedule
    >>> [round(float(cosine_decay_schedule(1.0, 4)(t)), 4) for t in range(5)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0]

    Source: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    eq. 5.
    """

    def value(count):
        cosine = 0.5 * (1 + jnp.cos(jnp.pi * _progress(count, 0.0, decay_steps)))
        safe = jnp.where(cosine > 0, cosine, 1.0)
        return init_value * ((1 - alpha) * jnp.where(cosine > 0, safe**exponent, 0.0) + alpha)

    return value


@schedule
def warmup_cosine_decay_schedule(
    init_value: Hyperparameter,
    peak_value: Hyperparameter,
    warmup_steps: Hyperparameter,
    decay_steps: Hyperparameter,
    end_value: Hyperparameter = 0.0,
    exponent: Hyperparameter = 1.0,
) -> Function:
    """Up along a straight line, then down along half a cosine.

    Args:
        init_value: the value at step 0.
        peak_value: the value at step ``warmup_steps``.
        warmup_steps: length of the warm-up, in steps.
        decay_steps: length of the whole, **warm-up included**.
        end_value: the value from ``decay_steps`` on.
        exponent: power of the cosine.

    >>> from gdlab import warmup_cosine_decay_schedule
    >>> [round(float(warmup_cosine_decay_schedule(0.0, 1.0, 2, 6)(t)), 4) for t in range(7)]
    [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0]

    Source: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    eq. 5, for the decay.
    """
    warmup = linear_schedule(init_value, peak_value, warmup_steps)

    def value(count):
        progress = _progress(count, warmup_steps, decay_steps - warmup_steps)
        cosine = 0.5 * (1 + jnp.cos(jnp.pi * progress))
        safe = jnp.where(cosine > 0, cosine, 1.0)
        shrunk = jnp.where(cosine > 0, safe**exponent, 0.0)
        decayed = _between(end_value, peak_value, shrunk)
        return jnp.where(_has_begun(count, warmup_steps), decayed, warmup(count))

    return value


@schedule
def piecewise_constant_schedule(
    init_value: Hyperparameter,
    boundaries_and_scales: Mapping[int, Hyperparameter] | None = None,
) -> Function:
    """Constant, multiplied by a scale at each boundary.

    η(t) = init·∏ {scale : boundary ≤ t}

    Args:
        init_value: the value at step 0.
        boundaries_and_scales: step from which a scale is in force → that scale.

    >>> from gdlab import piecewise_constant_schedule
    >>> [float(piecewise_constant_schedule(1.0, {1: 0.5, 3: 0.5})(t)) for t in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def value(count):
        current = jnp.asarray(init_value)
        for boundary, scale in (boundaries_and_scales or {}).items():
            current = jnp.where(_has_begun(count, boundary), current * scale, current)
        return current

    return value


@schedule
def warmup_stable_decay_schedule(
    init_value: Hyperparameter,
    peak_value: Hyperparameter,
    warmup_steps: Hyperparameter,
    stable_steps: Hyperparameter,
    decay_steps: Hyperparameter,
    end_value: Hyperparameter = 0.0,
) -> Function:
    """Up, level, and down along straight lines: the trapezoidal schedule.

    Args:
        init_value: the value at step 0.
        peak_value: the value while it is level.
        warmup_steps: length of the way up, in steps.
        stable_steps: length of the level part, in steps.
        decay_steps: length of the way down, in steps.
        end_value: the value after that.

    >>> from gdlab import warmup_stable_decay_schedule
    >>> [float(warmup_stable_decay_schedule(0.0, 1.0, 2, 1, 2)(t)) for t in range(6)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]

    Source: S. Hu et al., MiniCPM: unveiling the potential of small language models, 2024, eq. 1;
    A. Hägele et al., Scaling laws and compute-optimal training beyond fixed training durations,
    2024, for the straight decay.
    """
    warmup = linear_schedule(init_value, peak_value, warmup_steps)
    down = linear_schedule(peak_value, end_value, decay_steps)

    def value(count):
        decaying = down(count.astype(float) - warmup_steps - stable_steps)
        return jnp.where(_has_begun(count, warmup_steps), decaying, warmup(count))

    return value


@schedule
def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[Hyperparameter]) -> Function:
    """One schedule after another, each counting from its own start.

    η(t) = schedulesᵢ(t − boundariesᵢ₋₁) for boundariesᵢ₋₁ ≤ t < boundariesᵢ

    Args:
        schedules: the schedules in turn.
        boundaries: the steps at which the second and later ones begin, one fewer, rising.

    Raises:
        ValueError: if the two lengths do not fit.

    >>> from gdlab import constant_schedule, join_schedules, linear_schedule
    >>> eta = join_schedules([linear_schedule(0.0, 1.0, 2), constant_schedule(0.25)], [3])
    >>> [float(eta(t)) for t in range(5)]
    [0.0, 0.5, 1.0, 0.25, 0.25]
    """
    if len(boundaries) != len(schedules) - 1:
        raise ValueError(
            f"join_schedules needs one boundary fewer than schedules, not {len(boundaries)} for "
            f"{len(schedules)}"
        )

    def value(count):
        current = schedules[0](count)
        for boundary, following in zip(boundaries, schedules[1:], strict=True):
            since = following(count.astype(float) - boundary)
            current = jnp.where(_has_begun(count, boundary), since, current)
        return current

    return value


def _has_begun(count: jax.Array, begin: Number) -> jax.Array:
    """Whether a step is at or behind another one, exactly for any integer."""
    if isinstance(begin, int):
        return count >= begin
    return count.astype(float) >= begin


def _progress(count: jax.Array, begin: Number, steps: Number) -> jax.Array:
    """How much of a stretch of ``steps`` is done, from 0 to 1; an empty one is done at once."""
    length = jnp.asarray(steps, dtype=float)
    since = count.astype(length.dtype) - begin
    fraction = jnp.clip(since / jnp.where(length > 0, length, 1.0), 0, 1)
    return jnp.where(length > 0, fraction, jnp.where(since >= 0, 1.0, 0.0))


def _between(start: Number, end: Number, progress: jax.Array) -> jax.Array:
    """From one value to another, both of them exactly at the ends."""
    return jnp.where(progress < 1, start + (end - start) * progress, end)

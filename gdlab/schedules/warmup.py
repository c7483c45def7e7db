"""Linear warm-up, followed by a constant value or a decay."""

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function, Number
from gdlab.schedules.exponential import exponential_decay
from gdlab.schedules.progress import between, has_begun, progress, raised, since
from gdlab.schedules.shapes import half_cosine


@schedule
def warmup_constant_schedule(
    init_value: Hyperparameter, peak_value: Hyperparameter, warmup_steps: NonNegative
) -> Function:
    """Linear warm-up, then constant.

    η(t) = init + (peak − init)·min(t/warmup, 1)

    Args:
        init_value: the value at step 0.
        peak_value: the value from step ``warmup_steps`` on.
        warmup_steps: the length of the warm-up, in steps.

    >>> from gdlab import warmup_constant_schedule
    >>> [float(warmup_constant_schedule(0.0, 1.0, 2)(t)) for t in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    return lambda count: between(init_value, peak_value, progress(count, 0.0, warmup_steps))


@schedule
def warmup_cosine_decay_schedule(
    init_value: Hyperparameter,
    peak_value: Hyperparameter,
    warmup_steps: NonNegative,
    decay_steps: NonNegative,
    end_value: Hyperparameter = 0.0,
    exponent: NonNegative = 1.0,
) -> Function:
    """Linear warm-up, then cosine decay, then constant.

    With ``decay_steps`` shorter than the training it is the infinite cosine schedule, which can be
    continued from any later step.

    Args:
        init_value: the value at step 0.
        peak_value: the value at step ``warmup_steps``.
        warmup_steps: the length of the warm-up, in steps.
        decay_steps: the number of steps until the end of the decay, **including the warm-up**.
        end_value: the value from ``decay_steps`` on.
        exponent: the exponent of the cosine.

    >>> from gdlab import warmup_cosine_decay_schedule
    >>> [round(float(warmup_cosine_decay_schedule(0.0, 1.0, 2, 6)(t)), 4) for t in range(7)]
    [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0]

    Source: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    eq. 5, for the decay.
    """
    both = (warmup_steps, decay_steps)
    if all(isinstance(steps, float) for steps in both) and decay_steps < warmup_steps:
        raise ValueError(
            f"warmup_cosine_decay_schedule: decay_steps counts the warm-up of {warmup_steps:g} "
            f"steps as well, so it cannot be {decay_steps:g}"
        )

    def value(count):
        done = progress(count, warmup_steps, decay_steps - warmup_steps)
        decayed = between(end_value, peak_value, raised(half_cosine(done), exponent))
        return _warmed_up(count, init_value, peak_value, warmup_steps, decayed)

    return value


@schedule
def warmup_exponential_decay_schedule(
    init_value: Hyperparameter,
    peak_value: Hyperparameter,
    warmup_steps: NonNegative,
    transition_steps: NonNegative,
    decay_rate: NonNegative,
    transition_begin: Hyperparameter = 0,
    staircase: bool = False,
    end_value: Hyperparameter | None = None,
) -> Function:
    """Linear warm-up, then :func:`exponential_decay` from the peak.

    Args:
        init_value: the value at step 0.
        peak_value: the value at step ``warmup_steps``.
        warmup_steps: the length of the warm-up, in steps.
        transition_steps: the number of steps for one factor of ``decay_rate``; 0 never decays.
        decay_rate: the factor, positive.
        transition_begin: the step at which the decay begins, counted from the end of the warm-up.
        staircase: whether the value changes only once every ``transition_steps``.
        end_value: a bound of the value: a lower bound if ``decay_rate < 1``, an upper bound
            otherwise.

    >>> from gdlab import warmup_exponential_decay_schedule
    >>> eta = warmup_exponential_decay_schedule(0.0, 8.0, 2, 1, 0.5)
    >>> [float(eta(t)) for t in range(5)]
    [0.0, 4.0, 8.0, 4.0, 2.0]
    """
    decay = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )

    def value(count):
        decayed = decay(since(count, warmup_steps))
        return _warmed_up(count, init_value, peak_value, warmup_steps, decayed)

    return value


@schedule
def warmup_inverse_sqrt_decay_schedule(
    init_value: Hyperparameter,
    peak_value: Hyperparameter,
    warmup_steps: NonNegative,
    timescale: NonNegative | None = None,
) -> Function:
    """Linear warm-up, then decay with the inverse square root of the steps, without an end.

    η(t) = peak/√(1 + (t − warmup)/timescale) for t ≥ warmup

    Noam's schedule of the Transformer, width^−½·min(s^−½, s·w^−1.5) with s = t + 1, has the peak p
    = 1/√(width·w). It equals this schedule with
    ``init_value=p / w, peak_value=p, warmup_steps=w - 1, timescale=w``.

    Args:
        init_value: the value at step 0.
        peak_value: the value at step ``warmup_steps``.
        warmup_steps: the length of the warm-up, in steps.
        timescale: the number of steps after the warm-up at which the value is the peak over √2; by
            default ``warmup_steps``, and at least 1.

    >>> from gdlab import warmup_inverse_sqrt_decay_schedule
    >>> eta = warmup_inverse_sqrt_decay_schedule(0.0, 1.0, 4)
    >>> [float(eta(t)) for t in (0, 2, 4, 16, 64)]
    [0.0, 0.5, 1.0, 0.5, 0.25]

    Source: A. Vaswani et al., Attention is all you need, 2017, eq. 3.
    """
    scale = jnp.maximum(warmup_steps, 1.0) if timescale is None else timescale

    def value(count):
        later = jnp.maximum(since(count, warmup_steps), 0)
        decayed = peak_value / jnp.sqrt(1 + later / scale)
        return _warmed_up(count, init_value, peak_value, warmup_steps, decayed)

    return value


def _warmed_up(
    count: jax.Array, init_value: Number, peak_value: Number, steps: Number, then: jax.Array
) -> jax.Array:
    """The linear warm-up, and the value ``then`` after its end."""
    rising = between(init_value, peak_value, progress(count, 0.0, steps))
    return jnp.where(has_begun(count, steps), then, rising)


@schedule
def warmed_up(value: Hyperparameter, warmup_steps: NonNegative) -> Function:
    """A value or schedule with a linear warm-up that starts above zero.

    η(t) = value·min((t + 1)/warmup_steps, 1), t = 0, 1, …

    >>> from gdlab import warmed_up
    >>> [float(warmed_up(1.0, 4)(step)) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return lambda count: (
        value * jnp.minimum((count.astype(float) + 1) / jnp.maximum(warmup_steps, 1), 1)
    )

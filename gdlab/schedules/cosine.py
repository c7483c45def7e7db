"""Cosine decay, and periodic cosine schedules."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import between, period_of, progress, raised
from gdlab.schedules.shapes import half_cosine


@schedule
def cosine_decay_schedule(
    init_value: Hyperparameter,
    decay_steps: NonNegative,
    alpha: Hyperparameter = 0.0,
    exponent: NonNegative = 1.0,
) -> Function:
    """Cosine decay: a half period of a cosine, then constant.

    η(t) = init·((1 − α)·(½(1 + cos πs))^exponent + α), s = clip(t/decay_steps, 0, 1)

    Args:
        init_value: the value at step 0.
        decay_steps: the length of the decay, in steps.
        alpha: the last value as a fraction α of the first.
        exponent: the exponent of the cosine.

    >>> from gdlab import cosine_decay_schedule
    >>> [round(float(cosine_decay_schedule(1.0, 4)(t)), 4) for t in range(5)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0]

    Source: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    eq. 5.
    """

    def value(count):
        cosine = half_cosine(progress(count, 0.0, decay_steps))
        return init_value * ((1 - alpha) * raised(cosine, exponent) + alpha)

    return value


@schedule
def periodic_cosine_schedule(
    init_value: Hyperparameter, end_value: Hyperparameter, transition_steps: NonNegative
) -> Function:
    """A cosine between two values, periodic and without end.

    η(t) = end + (init − end)·½(1 + cos(πt/steps))

    This is ``CosineAnnealingLR`` of PyTorch, which does not stay at its end as
    :func:`cosine_decay_schedule` does.

    Args:
        init_value: the value at step 0, and at each even multiple of ``transition_steps``.
        end_value: the value at each odd multiple.
        transition_steps: half a period, in steps.

    >>> from gdlab import periodic_cosine_schedule
    >>> [round(float(periodic_cosine_schedule(1.0, 0.0, 2)(t)), 4) for t in range(6)]
    [1.0, 0.5, 0.0, 0.5, 1.0, 0.5]

    Source: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    eq. 5, without its restarts.
    """

    def value(count):
        _, steps = period_of(count, 2 * transition_steps)
        turned = progress(steps, 0.0, transition_steps) + progress(
            steps, transition_steps, transition_steps
        )
        return between(init_value, end_value, 1 - half_cosine(turned))

    return value

"""Cosine decay with warm restarts."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative, Positive
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function, Number
from gdlab.schedules.combinators import in_turn
from gdlab.schedules.progress import period_of, progress, since
from gdlab.schedules.shapes import half_cosine
from gdlab.schedules.warmup import warmup_cosine_decay_schedule


@schedule
def sgdr_schedule(cosine_kwargs: Sequence[Mapping[str, Hyperparameter]]) -> Function:
    """Repeated warm-up and cosine decay, each cycle with its own numbers.

    Each cycle counts from its start, and lasts for its ``decay_steps``.

    Args:
        cosine_kwargs: the arguments of :func:`warmup_cosine_decay_schedule` for each cycle, by
            name.

    Raises:
        ValueError: if ``cosine_kwargs`` is empty.

    >>> from gdlab import sgdr_schedule
    >>> first = dict(init_value=0.0, peak_value=1.0, warmup_steps=1, decay_steps=3)
    >>> eta = sgdr_schedule([first, first | {"peak_value": 0.5}])
    >>> [round(float(eta(t)), 4) for t in range(7)]
    [0.0, 1.0, 0.5, 0.0, 0.5, 0.25, 0.0]

    Source: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """
    if not cosine_kwargs:
        raise ValueError("cosine_kwargs must have the arguments of one cycle at least")
    cycles = [warmup_cosine_decay_schedule(**arguments) for arguments in cosine_kwargs]
    ends = list(accumulate(arguments["decay_steps"] for arguments in cosine_kwargs))
    return lambda count: in_turn(count, cycles, ends[:-1])


@schedule
def cosine_decay_restarts_schedule(
    init_value: Hyperparameter,
    first_decay_steps: NonNegative,
    t_mul: Positive = 2.0,
    m_mul: Hyperparameter = 1.0,
    alpha: Hyperparameter = 0.0,
) -> Function:
    """Cosine decay with restarts, in cycles that become longer and lower.

    η(t) = init·((1 − α)·m_mulⁱ·½(1 + cos πs) + α) at the fraction s of cycle i

    Args:
        init_value: the value at step 0.
        first_decay_steps: the length of the first cycle, in steps.
        t_mul: the ratio of the length of each cycle to that of the previous one.
        m_mul: the ratio of the height of each cycle to that of the previous one.
        alpha: the smallest value of all cycles, as a fraction α of ``init_value``.

    >>> from gdlab import cosine_decay_restarts_schedule
    >>> eta = cosine_decay_restarts_schedule(1.0, 2, t_mul=2.0, m_mul=0.5)
    >>> [round(float(eta(t)), 4) for t in range(7)]
    [1.0, 0.5, 0.5, 0.4268, 0.25, 0.0732, 0.25]

    Source: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    eq. 5.
    """

    def value(count):
        cycle, done = _growing_cycle(count, first_decay_steps, t_mul)
        height = jnp.power(m_mul, cycle)
        return init_value * ((1 - alpha) * height * half_cosine(done) + alpha)

    return value


def _growing_cycle(count: jax.Array, first: Number, growth: Number) -> tuple[jax.Array, jax.Array]:
    """The index of the cycle that contains a step, and the completed fraction of the cycle.

    Cycle i begins at first·(growthⁱ − 1)/(growth − 1), or at first·i if they do not grow.
    """
    steps = since(count, 0.0)
    more = jnp.asarray(growth - 1)
    grows = jnp.abs(more) > 1e-4
    base = jnp.where(grows, growth, 2.0)
    begin = lambda cycle: first * (base**cycle - 1) / (base - 1)  # noqa: E731
    # The logarithm is only a first guess, since it and the powers are rounded.
    counted = jax.lax.stop_gradient(jnp.maximum(1 + steps / first * (base - 1), 1e-30))
    cycle = jnp.maximum(jnp.floor(jnp.log(counted) / jnp.log(jax.lax.stop_gradient(base))), 0)
    late = steps * (1 + 4 * jnp.finfo(steps.dtype).eps)
    cycle += jnp.where(begin(cycle + 1) <= late, 1.0, 0.0)
    cycle -= jnp.where(begin(cycle) > late, 1.0, 0.0)
    done = progress(steps - begin(cycle), 0.0, first * base**cycle)
    # Near growth 1 the quotient above is replaced by its first-order expansion.
    level, within = period_of(count, first)
    within -= first * 0.5 * level * (level - 1) * more
    level_done = progress(within, 0.0, first * growth**level)
    return jnp.where(grows, cycle, level), jnp.where(grows, done, level_done)

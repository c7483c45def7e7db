"""Up, level, and down: warm-up, stable, decay."""

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.schedules.progress import has_begun, progress
from gdlab.schedules.shapes import shape_of


@schedule
def warmup_stable_decay_schedule(
    init_value: Hyperparameter,
    peak_value: Hyperparameter,
    warmup_steps: NonNegative,
    stable_steps: NonNegative,
    decay_steps: NonNegative,
    end_value: Hyperparameter = 0.0,
    *,
    decay_type: str = "linear",
    warmup_type: str = "linear",
) -> Function:
    """Up, level, and down: the trapezoidal schedule.

    From s = 0 to 1 the way down is peak + (end − peak)·p(s), where p(s) is s ("linear"),
    ½(1 − cos πs) ("cosine"), 2s − ½(1 − cos πs) ("mirrored_cosine"), √s ("1-sqrt") or s²
    ("1-square"); "exponential" is peak·(end/peak)^s, for which both are positive. The way up is one
    of these ways down, run backwards.

    With a warm-up and a straight decay it is the explore–exploit schedule: explore while it is
    level, exploit while it falls.

    Args:
        init_value: the value at step 0.
        peak_value: the value while it is level.
        warmup_steps: length of the way up, in steps.
        stable_steps: length of the level part, in steps.
        decay_steps: length of the way down, in steps.
        end_value: the value after that.
        decay_type: the shape of the way down.
        warmup_type: the shape of the way up, which is that of a way down from peak to start.

    Raises:
        ValueError: if there is no shape of that name.

    >>> from gdlab import warmup_stable_decay_schedule
    >>> [float(warmup_stable_decay_schedule(0.0, 1.0, 2, 1, 2)(t)) for t in range(6)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]

    Source: S. Hu et al., MiniCPM: unveiling the potential of small language models, 2024, eq. 1;
    A. Hägele et al., Scaling laws and compute-optimal training beyond fixed training durations,
    2024, for the shapes; N. Iyer et al., Wide-minima density hypothesis and the explore–exploit
    learning rate schedule, 2020.
    """
    falls = shape_of("decay_type", decay_type)
    rises = shape_of("warmup_type", warmup_type)

    def value(count):
        done = progress(count, warmup_steps + stable_steps, decay_steps)
        rising = rises(peak_value, init_value, 1 - progress(count, 0.0, warmup_steps))
        falling = falls(peak_value, end_value, done)
        return jnp.where(has_begun(count, warmup_steps), falling, rising)

    return value

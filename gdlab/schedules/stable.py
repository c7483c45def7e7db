"""The warm-up, stable, decay schedule."""

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
    """Warm-up, constant phase and decay: the trapezoidal (WSD) schedule.

    From s = 0 to 1 the decay is peak + (end − peak)·p(s), where p(s) is s ("linear"), ½(1 − cos πs)
    ("cosine"), 2s − ½(1 − cos πs) ("mirrored_cosine"), √s ("1-sqrt") or s² ("1-square");
    "exponential" is peak·(end/peak)^s and needs positive values. The warm-up is one of these decays
    in reverse.

    With a warm-up and a linear decay it is the explore–exploit schedule, which explores in the
    constant phase and exploits in the decay.

    Args:
        init_value: the value at step 0.
        peak_value: the value in the constant phase.
        warmup_steps: the length of the warm-up, in steps.
        stable_steps: the length of the constant phase, in steps.
        decay_steps: the length of the decay, in steps.
        end_value: the value after the decay.
        decay_type: the shape of the decay.
        warmup_type: the shape of the warm-up, a decay from peak to start in reverse.

    Raises:
        ValueError: if ``decay_type`` or ``warmup_type`` is unknown.

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

"""Schedule-Free AdamW."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.tuning_free.schedule_free import schedule_free
from gdlab.schedules.warmup import warmed_up
from gdlab.transforms.averages.rms import scale_by_rms
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def schedule_free_adamw(
    learning_rate: Hyperparameter = 0.0025,
    warmup_steps: NonNegative | None = None,
    b1: Fraction = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.0,
    weight_lr_power: Hyperparameter = 2.0,
    state_dtype: StorageDType | None = None,
    *,
    r: Hyperparameter = 0.0,
    decay_at_z: bool = False,
    keeps_average: bool = True,
) -> GradientTransformation:
    """Schedule-Free AdamW: RMS scaling, with an average of the iterates in place of momentum.

    zₜ₊₁ = zₜ − η·(gₜ/(√v̂ₜ + ε) + λ·yₜ), gₜ = ∇f(yₜ), v̂ₜ = debias(ema(b2))(gₜ²), with averages x
    and y as in :func:`schedule_free`

    When to use:
        In place of AdamW with a decaying learning rate, if the length of training is not known
        beforehand. Start from 1 to 10 times the learning rate of AdamW, and warm up.

    Args:
        learning_rate: η, after the warm-up, which also scales the decay.
        warmup_steps: T; the learning rate of step t is η·min(t/T, 1), t = 1, 2, …
        b1: the weight of the average in the point at which gradients are taken, in [0, 1].
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        weight_decay: λ, decoupled.
        weight_lr_power: the exponent of the learning rate in the weights of the average.
        state_dtype: dtype in which z is stored; the parameter's, at least float32.
        r: the exponent of the step number in these weights.
        decay_at_z: whether to decay z instead of y.
        keeps_average: False saves one number per parameter, as in :func:`schedule_free`.

    >>> import jax.numpy as jnp
    >>> from gdlab import schedule_free_adamw
    >>> tx = schedule_free_adamw(0.1)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)), jnp.zeros(1))[0]
    Array([-0.1], dtype=float32)

    Source: A. Defazio et al., The road less scheduled, 2024, algorithm 1; with bias correction as
    in the authors' code.
    """
    rate = learning_rate if warmup_steps is None else warmed_up(learning_rate, warmup_steps)
    base = chain(
        scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        add_decayed_weights(weight_decay),
        scale_by_learning_rate(rate),
    )
    return schedule_free(
        base,
        rate,
        b1,
        weight_lr_power,
        state_dtype,
        r=r,
        decay_at_z=decay_at_z,
        keeps_average=keeps_average,
    )

"""Schedule-Free gradient descent."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.tuning_free.schedule_free import schedule_free
from gdlab.schedules.warmup import warmed_up
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def schedule_free_sgd(
    learning_rate: Hyperparameter = 1.0,
    warmup_steps: NonNegative | None = None,
    b1: Fraction = 0.9,
    weight_decay: Hyperparameter | None = None,
    weight_lr_power: Hyperparameter = 2.0,
    state_dtype: StorageDType | None = None,
    *,
    r: Hyperparameter = 0.0,
    decay_at_z: bool = False,
    keeps_average: bool = True,
) -> GradientTransformation:
    """Schedule-Free gradient descent.

    zₜ₊₁ = zₜ − η·(∇f(yₜ) + λ·yₜ), with averages x and y as in :func:`schedule_free`

    On a constant gradient g at a constant η, zₜ = w₀ − ηt·g and xₜ = w₀ − η(t + 1)/2·g.

    When to use:
        In place of momentum with a decaying learning rate. Its learning rate is about that of plain
        gradient descent, 10 to 50 times the best one with momentum 0.9.

    Args:
        learning_rate: η, after the warm-up.
        warmup_steps: T; the learning rate of step t is η·min(t/T, 1), t = 1, 2, …
        b1: the weight of the average in the point at which gradients are taken, in [0, 1].
        weight_decay: λ, coupled; none unless given.
        weight_lr_power: the exponent of the learning rate in the weights of the average.
        state_dtype: dtype in which z is stored; the parameter's, at least float32.
        r: the exponent of the step number in these weights.
        decay_at_z: whether to decay z instead of y.
        keeps_average: False saves one number per parameter, as in :func:`schedule_free`.

    >>> import jax.numpy as jnp
    >>> from gdlab import schedule_free_sgd
    >>> tx = schedule_free_sgd(1.0, warmup_steps=4)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)), jnp.zeros(1))[0]
    Array([-0.5], dtype=float32)

    Source: A. Defazio et al., The road less scheduled, 2024, eq. 3–5.
    """
    rate = learning_rate if warmup_steps is None else warmed_up(learning_rate, warmup_steps)
    descent = scale_by_learning_rate(rate)
    base = descent if weight_decay is None else chain(add_decayed_weights(weight_decay), descent)
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

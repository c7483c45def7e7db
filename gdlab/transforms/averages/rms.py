"""Scaling by the root of the mean square of recent gradients."""

from gdlab.core.hyperparameter import Fraction, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.signals.ratios import ratio_with_eps, square


@transformation
def scale_by_rms(
    decay: Fraction = 0.9,
    eps: NonNegative = 1e-8,
    initial_scale: NonNegative | None = None,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """Divide by the root of the mean square of recent gradients.

    vₜ = decay·vₜ₋₁ + (1 − decay)·gₜ², uₜ = gₜ/√(vₜ + eps)

    Args:
        decay: weight of the old value in the average of squares.
        eps: ε, which bounds the step where gradients vanish.
        initial_scale: the initial value v₀; by default 0.
        eps_in_sqrt: whether ε is added inside the root (optax, Keras) or outside (torch).
        bias_correction: whether vₜ is divided by 1 − decayᵗ.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_rms
    >>> tx = scale_by_rms(0.75)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([2.], dtype=float32)

    Source: T. Tieleman, G. Hinton, Lecture 6.5: RMSProp, 2012.
    """
    average = ema(decay, initial_value=initial_scale)
    mean_square = chain(square(), debias(average) if bias_correction else average)
    return fork(ratio_with_eps(eps, eps_in_sqrt), identity(), nu=mean_square)

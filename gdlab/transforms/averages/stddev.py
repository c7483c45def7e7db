"""Scaling by the standard deviation of recent gradients."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.hyperparameter import Fraction, NonNegative
from gdlab.core.numerics import abs_squared
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import fork, identity
from gdlab.transforms.averages.debiasing import Weight
from gdlab.transforms.signals.ratios import ratio_with_eps


@leafwise(slots=("mean", "variance"), shared="weight", nonnegative=("variance",), squares=True)
def variance(
    decay: Fraction,
    initial_scale: NonNegative | None = None,
    bias_correction: bool = False,
) -> LeafFunctions:
    """The exponentially weighted variance of the updates.

    With vₜ and mₜ the averages of gₜ² and gₜ it is vₜ − mₜ², computed without that difference:
    sₜ = decay·sₜ₋₁ + decay·(1 − decay)·(gₜ − mₜ₋₁)². It is never negative.

    Args:
        decay: weight of the old value in both averages.
        initial_scale: the initial value v₀; by default 0.
        bias_correction: whether vₜ and mₜ are divided by 1 − decayᵗ.

    >>> import jax.numpy as jnp
    >>> from gdlab import variance
    >>> tx = variance(0.5)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)))[0]
    Array([1.], dtype=float32)

    Source: A. Graves, Generating sequences with recurrent neural networks, 2013, eq. 38–40.
    """

    def init(like):
        start = 0 if initial_scale is None or bias_correction else initial_scale
        return jnp.zeros_like(like), jnp.full_like(like, start).real

    def update(u, state, weight):
        mean, spread = state
        # In corrected averages the newest value has a larger weight. As their difference the
        # variance would at first be a rounding error, sometimes negative.
        share = (1 - decay) / weight.value() if bias_correction else 1 - decay
        deviation = u - mean
        mean = mean + share * deviation
        # The first corrected mean is the first value, and a square that overflows changes nothing.
        spread = (1 - share) * spread + jnp.where(share < 1, share * abs_squared(deviation), 0) * (
            1 - share
        )
        if initial_scale is None or not bias_correction:
            return spread, (mean, spread)
        return spread + initial_scale * weight.remaining / weight.value(), (mean, spread)

    return init, update, Shared(Weight.at_start, lambda weight: weight.after(decay))


@transformation
def scale_by_stddev(
    decay: Fraction = 0.9,
    eps: NonNegative = 1e-8,
    initial_scale: NonNegative | None = None,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """Divide by the standard deviation of recent gradients.

    uₜ = gₜ/√(vₜ − mₜ² + eps), with mₜ and vₜ the averages of gₜ and gₜ²

    Args:
        decay: weight of the old value in both averages.
        eps: ε, which bounds the step where gradients do not vary.
        initial_scale: the initial value v₀; by default 0.
        eps_in_sqrt: whether ε is added inside the root or outside.
        bias_correction: whether vₜ and mₜ are divided by 1 − decayᵗ.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_stddev
    >>> tx = scale_by_stddev(0.5)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)))[0]
    Array([2.], dtype=float32)

    Source: A. Graves, Generating sequences with recurrent neural networks, 2013, eq. 38–41.
    """
    spread = variance(decay, initial_scale, bias_correction)
    return fork(ratio_with_eps(eps, eps_in_sqrt), identity(), spread)

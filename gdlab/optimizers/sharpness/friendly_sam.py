"""Friendly SAM: a probe along only the noise of the mini-batch."""

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.probes.ascent import ascent
from gdlab.transforms.probes.gradient_at import gradient_at
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.scaling import scale


@transformation
def friendly_sam(
    inner: GradientTransformation,
    rho: NonNegative = 0.05,
    sigma: Hyperparameter = 1.0,
    decay: Fraction = 0.9,
) -> GradientTransformation:
    """Friendly SAM: sharpness-aware minimisation whose probe leaves out the full gradient.

    mₜ = decay·mₜ₋₁ + (1 − decay)·gₜ, dₜ = gₜ − sigma·mₜ, ĝₜ = ∇f(wₜ + rho·dₜ/‖dₜ‖), uₜ = inner(ĝₜ)

    m estimates the gradient of all the data, so that d is the noise of the mini-batch. At sigma = 0
    it is :func:`sam`.

    When to use:
        As :func:`sam` with small mini-batches, at the same cost and with one more array.

    Args:
        inner: the method, including its learning rate.
        rho: ρ, the radius of the probe.
        sigma: σ, the multiple of the average that is subtracted.
        decay: λ, the decay of the average.

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing; ``minimize`` and ``sweep``
            supply them.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import friendly_sam, sgd
    >>> tx = friendly_sam(sgd(0.1), rho=0.5)
    >>> grad_fn = jax.grad(lambda w: 0.5 * w**2)
    >>> w = jnp.array(1.0)
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0].round(4)
    Array(-0.15, dtype=float32)

    Source: T. Li, P. Zhou, Z. He, X. Cheng, X. Huang, Friendly sharpness-aware minimization, 2024,
    algorithm 1.
    """
    noise = fork(weighted_sum(1.0, -1.0), identity(), mu=chain(ema(decay), scale(sigma)))
    return chain(gradient_at(chain(noise, ascent(rho))), inner)

"""WSAM: sharpness as a regulariser with an adjustable weight."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.joins import join
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.probes.ascent import ascent
from gdlab.transforms.probes.gradient_at import gradient_at
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@join
def weighted_sharpness(gamma: Hyperparameter) -> Function:
    """Join the gradient and an adversarial one: the gradient of the sharpness, weighted.

    u = gamma/(1 − gamma)·(ĝ − g)

    Args:
        gamma: γ, in [0, 1); ½ gives the difference itself.

    >>> import jax.numpy as jnp
    >>> from gdlab import weighted_sharpness
    >>> weighted_sharpness(0.75)(jnp.array([1.0]), jnp.array([2.0]))
    Array([3.], dtype=float32)
    """
    return lambda g, adversarial: gamma / (1 - gamma) * (adversarial - g)


@transformation
def wsam(
    inner: GradientTransformation,
    rho: NonNegative = 0.05,
    gamma: Hyperparameter = 0.9,
    *,
    sharpness_learning_rate: Hyperparameter | None = None,
) -> GradientTransformation:
    """WSAM: minimise the loss plus a multiple of its sharpness.

    ĝₜ = ∇f(wₜ + rho·gₜ/‖gₜ‖), sₜ = gamma/(1 − gamma)·(ĝₜ − gₜ); uₜ = inner(gₜ + sₜ), or
    uₜ = inner(gₜ) − η·sₜ with a learning rate η for the sharpness

    At gamma = ½ the first form is :func:`sam`; at gamma = 0 both are ``inner``.

    When to use:
        As :func:`sam`, if one more number can be tuned. With adaptive methods the paper uses the
        second form, where the moments of ``inner`` are those of the gradient.

    Args:
        inner: the method, including its learning rate.
        rho: ρ, the radius of the ball with the worst point.
        gamma: γ, in [0, 1), the weight of the sharpness.
        sharpness_learning_rate: the learning rate η of the sharpness, usually that of ``inner``.
            Unless given, the first form is used.

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing; ``minimize`` and ``sweep``
            supply them.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import sgd, wsam
    >>> tx = wsam(sgd(0.1), rho=0.5, gamma=0.75)
    >>> grad_fn = jax.grad(lambda w: 0.5 * w**2)
    >>> w = jnp.array(1.0)
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0].round(4)
    Array(-0.25, dtype=float32)

    Source: Y. Yue et al., Sharpness-aware minimization revisited: weighted sharpness as a
    regularization term, 2023, algorithms 1 and 2.
    """
    sharpness = fork(weighted_sharpness(gamma), identity(), gradient_at(ascent(rho)))
    both = weighted_sum(1.0, 1.0)
    if sharpness_learning_rate is None:
        return chain(fork(both, identity(), sharpness), inner)
    return fork(both, inner, chain(sharpness, scale_by_learning_rate(sharpness_learning_rate)))

"""Sharpness-aware minimisation: the gradient at the worst point nearby."""

from gdlab.core.hyperparameter import NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.probes.ascent import ascent
from gdlab.transforms.probes.gradient_at import gradient_at


@transformation
def sam(inner: GradientTransformation, rho: NonNegative = 0.05) -> GradientTransformation:
    """Sharpness-aware minimisation: any method, with the gradient at the worst point nearby.

    ĝₜ = ∇f(wₜ + rho·gₜ/‖gₜ‖), uₜ = inner(ĝₜ)

    To first order ĝ is the gradient of f + rho·‖∇f‖, so steep surroundings are avoided. At rho = 0
    it is ``inner``. Scaling the loss does not change the displacement.

    When to use:
        Image classifiers and fine-tuning, where it generalises better at twice the cost of a step.
        Use as ``inner`` the method tuned without SAM, and search rho from 0.02 to 0.2. It is meant
        for mini-batches: pass the ``grad_fn`` of the same batch as the gradient.

    Args:
        inner: the method, including its learning rate.
        rho: ρ, the radius of the ball with the worst point.

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing; ``minimize`` and ``sweep``
            supply them.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import sam, sgd
    >>> tx = sam(sgd(0.1), rho=0.5)
    >>> grad_fn = jax.grad(lambda w: 0.5 * w**2)
    >>> w = jnp.array(1.0)
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0].round(4)
    Array(-0.15, dtype=float32)

    Source: P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, Sharpness-aware minimization for
    efficiently improving generalization, 2020, algorithm 1.
    """
    return chain(gradient_at(ascent(rho)), inner)

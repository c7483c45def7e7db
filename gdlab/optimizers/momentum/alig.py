"""ALI-G: Polyak's step size with an upper bound, and Nesterov's momentum."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.momentum.polyak_sgd import scale_by_polyak
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.signals.scaling import scale


@transformation
def alig(
    max_learning_rate: Hyperparameter,
    momentum: Hyperparameter = 0.9,
    eps: NonNegative = 1e-5,
) -> GradientTransformation:
    """ALI-G: adaptive learning rates for interpolation with gradients.

    γₜ = min(fₜ/(‖gₜ‖² + eps), max_learning_rate), vₜ = β·vₜ₋₁ − γₜ·gₜ, wₜ₊₁ = wₜ − γₜ·gₜ + β·vₜ

    Only the bound on the step size has to be tuned, and it needs no schedule: near the minimum the
    steps become short by themselves. At momentum 0 it is
    ``polyak_sgd(max_learning_rate, eps=eps)``.

    When to use:
        Networks that can fit all their data, with no regularisation in the loss. The paper replaces
        weight decay, which would move the minimum of the loss away from 0, by a bound on the norm
        of the weights.

    Args:
        max_learning_rate: η, the upper bound on the step size γ.
        momentum: β, the decay of the velocity.
        eps: δ, added to the square of the norm.

    Raises:
        ValueError: if the keyword ``value`` is missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import alig
    >>> tx = alig(0.1, momentum=0.5)
    >>> w = jnp.array([4.0])
    >>> tx.update(2 * w, tx.init(w), w, value=jnp.sum(w**2))[0].round(4)
    Array([-1.2], dtype=float32)

    Source: L. Berrada, A. Zisserman, M. P. Kumar, Training neural networks for and by
    interpolation, 2019, algorithm 1 and section 3.4.
    """
    step = scale_by_polyak(0.0, max_learning_rate, eps)
    return chain(step, scale(-1.0), trace(momentum, nesterov=True))

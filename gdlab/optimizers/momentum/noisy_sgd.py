"""Gradient descent with decaying noise in the gradients."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.signals.noise import add_noise
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def noisy_sgd(
    learning_rate: Hyperparameter, eta: NonNegative = 0.01, gamma: Hyperparameter = 0.55
) -> GradientTransformation:
    """Gradient descent with Gaussian noise of decaying variance in the gradients.

    wₜ₊₁ = wₜ − α·(gₜ + σₜ·ξₜ), σₜ² = eta/(1 + t)^gamma, with ξₜ standard normal, t = 0, 1, …

    When to use:
        Very deep or badly initialised networks that otherwise do not train, and full batches, whose
        gradients have no noise. It rarely helps elsewhere.

    Args:
        learning_rate: α, which also scales the noise.
        eta: η, the variance of the noise at the first step.
        gamma: γ, the exponent of the decay of the variance.

    Raises:
        ValueError: if the keyword ``key`` of ``update`` is missing; ``minimize(…, key=…)`` supplies
            it.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import noisy_sgd
    >>> tx = noisy_sgd(0.1, eta=0.0)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)), key=jax.random.key(0))[0]
    Array([-0.2], dtype=float32)

    Source: A. Neelakantan et al., Adding gradient noise improves learning for very deep networks,
    2015, eq. 1.
    """
    return chain(add_noise(eta, gamma), scale_by_learning_rate(learning_rate))

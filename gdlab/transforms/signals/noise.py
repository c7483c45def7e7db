"""Noise added to the gradients."""

import jax

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_sqrt
from gdlab.core.transformation import leafwise


@leafwise(reads=("key", "step"))
def add_noise(eta: NonNegative, gamma: Hyperparameter) -> LeafFunctions:
    """Add Gaussian noise whose variance falls with the number of steps.

    uₜ = gₜ + σₜ·ξₜ with σₜ² = eta/(1 + t)^gamma, t = 0, 1, …, and ξₜ standard normal, independent
    for each element and step; a complex element has variance σₜ²/2 in each of its parts

    Args:
        eta: η, the variance at the first step; 0.01, 0.3 and 1 in the paper.
        gamma: γ, the exponent of its decay; 0.55 in the paper.

    The noise is drawn from the keyword ``key`` of ``update`` and the step number, so one key serves
    for a whole run; :func:`gdlab.minimize` and :func:`gdlab.sweep` supply it. optax keeps a key in
    the state.

    Raises:
        ValueError: if ``key`` is missing.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import add_noise
    >>> tx = add_noise(eta=0.01, gamma=0.55)
    >>> zeros = jnp.zeros(10_000)
    >>> noise, _ = tx.update(zeros, tx.init(zeros), key=jax.random.key(0))
    >>> bool(abs(noise.std() - 0.1) < 5e-3)
    True

    Source: A. Neelakantan et al., Adding gradient noise improves learning for very deep networks,
    2015, eq. 1.
    """

    def update(u, key, step):
        variance = eta / (1 + step.astype(u.real.dtype)) ** gamma
        noise = jax.random.normal(jax.random.fold_in(key, step), u.shape, u.dtype)
        return u + safe_sqrt(variance) * noise

    return update

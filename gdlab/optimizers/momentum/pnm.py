"""Positive–negative momentum: two averages that alternate, one of which is subtracted."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(slots=("mu", "previous_mu"))
def scale_by_pnm(b1: Hyperparameter = 0.9, b0: Hyperparameter = 1.0) -> LeafFunctions:
    """The direction of positive–negative momentum: one average minus another, alternating.

    mₜ = b1²·mₜ₋₂ + (1 − b1²)·gₜ, uₜ = ((1 + b0)·mₜ − b0·mₜ₋₁)/√((1 + b0)² + b0²)

    One of mₜ and mₜ₋₁ averages the gradients of odd steps, the other those of even steps, so their
    noise is independent: the weighted difference has the signal of one, but more noise than either.

    Args:
        b1: decay per step; each average is updated every second step, with decay b1².
        b0: β₀, the weight of the subtracted average.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_pnm
    >>> tx = scale_by_pnm(b1=0.0, b0=0.0)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([3.], dtype=float32)

    Source: Z. Xie, L. Yuan, Z. Zhu, M. Sugiyama, Positive-negative momentum: manipulating
    stochastic gradient noise to improve generalization, 2021, algorithm 2.
    """

    def init(like):
        return jnp.zeros_like(like), jnp.zeros_like(like)

    def update(u, state):
        mu, before = state
        decay = b1 * b1
        new = decay * before + (1 - decay) * u
        extrapolated = (1 + b0) * new - b0 * mu
        return extrapolated / jnp.sqrt((1 + b0) ** 2 + b0**2), (new, mu)

    return init, update


@transformation
def pnm(
    learning_rate: Hyperparameter, b1: Hyperparameter = 0.9, b0: Hyperparameter = 1.0
) -> GradientTransformation:
    """Positive–negative momentum: descent with the noise of the gradients made larger.

    mₜ = b1²·mₜ₋₂ + (1 − b1²)·gₜ, wₜ₊₁ = wₜ − η·((1 + b0)·mₜ − b0·mₜ₋₁)/√((1 + b0)² + b0²)

    On a constant gradient the step grows to ηg/√((1 + b0)² + b0²): 0.447·ηg with the defaults.

    When to use:
        In place of momentum with large batches, whose gradients have too little noise to leave
        sharp minima. Its state has two arrays.

    Args:
        learning_rate: η.
        b1: decay per step; each average is updated every second step, with decay b1².
        b0: β₀, the weight of the subtracted average.

    >>> import jax.numpy as jnp
    >>> from gdlab import pnm
    >>> tx = pnm(1.0, b1=0.0)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([-1.7889], dtype=float32)

    Source: Z. Xie, L. Yuan, Z. Zhu, M. Sugiyama, Positive-negative momentum: manipulating
    stochastic gradient noise to improve generalization, 2021, algorithm 2.
    """
    return chain(scale_by_pnm(b1, b0), scale_by_learning_rate(learning_rate))

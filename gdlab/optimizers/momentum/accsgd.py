"""Accelerated stochastic gradient descent: short steps, pulled towards an average of long ones."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(slots=("offset",))
def pull_towards_long_steps(
    kappa: Hyperparameter = 1000.0, xi: Hyperparameter = 10.0, constant: Hyperparameter = 0.7
) -> LeafFunctions:
    """Pull the parameters towards an average of the points that long steps would reach.

    With the input sₜ, a short step, β = c²·ξ/κ and ζ = c/(c + β): w̄ₜ₊₁ = (1 − β)·w̄ₜ + β·(wₜ +
    (κ/c)·sₜ), wₜ₊₁ = ζ·(wₜ + sₜ) + (1 − ζ)·w̄ₜ₊₁, w̄₀ = w₀. The state has the ``offset`` w̄ₜ − wₜ.

    Args:
        kappa: κ, the ratio of the long step to the short one, times c.
        xi: ξ, the statistical advantage, at most √κ.
        constant: c, in (0, 1).

    >>> import jax.numpy as jnp
    >>> from gdlab import pull_towards_long_steps
    >>> tx = pull_towards_long_steps(kappa=2.0, xi=1.0, constant=1.0)
    >>> tx.update(jnp.array([-3.0]), tx.init(jnp.zeros(1)))[0]
    Array([-3.], dtype=float32)

    Source: P. Jain, S. M. Kakade, R. Kidambi, P. Netrapalli, A. Sidford, Accelerating stochastic
    gradient descent for least squares regression, 2017, algorithm 1; R. Kidambi et al., On the
    insufficiency of existing momentum schemes for stochastic optimization, 2018, algorithm 3.
    """

    def update(u, state):
        (offset,) = state
        beta = constant**2 * xi / kappa
        short = constant / (constant + beta)
        long = (1 - beta) * offset + beta * kappa / constant * u
        step = short * u + (1 - short) * long
        return step, (long - step,)

    return lambda like: (jnp.zeros_like(like),), update


@transformation
def accsgd(
    learning_rate: Hyperparameter,
    kappa: Hyperparameter = 1000.0,
    xi: Hyperparameter = 10.0,
    constant: Hyperparameter = 0.7,
) -> GradientTransformation:
    """Accelerated stochastic gradient descent, which stays accelerated with noisy gradients.

    β = c²·ξ/κ, w̄ₜ₊₁ = (1 − β)·w̄ₜ + β·(wₜ − (κη/c)·gₜ), wₜ₊₁ = (c·(wₜ − η·gₜ) + β·w̄ₜ₊₁)/(c + β)

    At ξ = 1/c it is gradient descent.

    When to use:
        Regression and other problems with noisy gradients, where momentum gains nothing over
        gradient descent. Tune ξ between 2 and √κ.

    Args:
        learning_rate: η, the learning rate of the short steps.
        kappa: κ, the ratio of the long step to the short one, times c.
        xi: ξ, the statistical advantage, at most √κ.
        constant: c, in (0, 1).

    >>> import jax.numpy as jnp
    >>> from gdlab import accsgd
    >>> tx = accsgd(0.1, kappa=10.0, xi=2.0)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([-0.1049], dtype=float32)

    Source: P. Jain, S. M. Kakade, R. Kidambi, P. Netrapalli, A. Sidford, Accelerating stochastic
    gradient descent for least squares regression, 2017, algorithm 1; R. Kidambi et al., On the
    insufficiency of existing momentum schemes for stochastic optimization, 2018, algorithm 3.
    """
    return chain(
        scale_by_learning_rate(learning_rate), pull_towards_long_steps(kappa, xi, constant)
    )

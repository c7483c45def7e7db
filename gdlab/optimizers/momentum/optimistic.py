"""Optimistic gradient descent, which extrapolates the change of the gradient."""

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.signals.delays import difference
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_optimistic_gradient(
    alpha: Hyperparameter = 1.0, beta: Hyperparameter = 1.0
) -> GradientTransformation:
    """The optimistic gradient: the gradient plus a multiple of its last change.

    uₜ = alpha·gₜ + beta·(gₜ − gₜ₋₁), g₀ = g₁

    Args:
        alpha: the weight of the gradient.
        beta: the weight of its change.

    >>> from gdlab import expand, scale_by_optimistic_gradient
    >>> expand(scale_by_optimistic_gradient())
    fork(weighted_sum(1.0, 1.0), identity(), difference())

    Source: A. Mokhtari, A. Ozdaglar, S. Pattathil, A unified analysis of extra-gradient and
    optimistic gradient methods for saddle point problems, 2019, section 4.
    """
    return fork(weighted_sum(alpha, beta), identity(), difference())


@transformation
def optimistic_gradient_descent(
    learning_rate: Hyperparameter, alpha: Hyperparameter = 1.0, beta: Hyperparameter = 1.0
) -> GradientTransformation:
    """Optimistic gradient descent: a step along the gradient expected at the next step.

    wₜ₊₁ = wₜ − η·(alpha·gₜ + beta·(gₜ − gₜ₋₁)), g₀ = g₁

    On the game min over x, max over y of x·y it spirals in, whereas gradient descent spirals out.
    On a quadratic of curvature λ it is stable iff η < 2/((alpha + 2·beta)λ); at beta = 0 it is
    gradient descent.

    When to use:
        Games: adversarial networks and other saddle points, where the players' gradients rotate.
        For minimisation it gains nothing over :func:`sgd`.

    Args:
        learning_rate: η.
        alpha: the weight of the gradient.
        beta: the weight of its change.

    >>> import jax.numpy as jnp
    >>> from gdlab import optimistic_gradient_descent
    >>> tx = optimistic_gradient_descent(1.0)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (2.0, 3.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [-2.]
    [-4.]

    Source: A. Mokhtari, A. Ozdaglar, S. Pattathil, A unified analysis of extra-gradient and
    optimistic gradient methods for saddle point problems, 2019, section 4.
    """
    direction = expand(scale_by_optimistic_gradient(alpha, beta))
    return chain(direction, scale_by_learning_rate(learning_rate))

"""Descent along the sign of the gradient or of its average."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.signals.pointwise import scale_by_sign
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def sign_sgd(learning_rate: Hyperparameter) -> GradientTransformation:
    """Descent along the sign of the gradient: steepest descent in the maximum norm.

    wₜ₊₁ = wₜ − η·sign(gₜ)

    Scaling any element of the gradient by a positive number changes nothing. :func:`adam` with
    b1 = b2 = ε = 0 takes the same steps.

    When to use:
        If gradients are sent between machines with one bit per element, or as the simplest model of
        Adam. It needs large batches.

    Args:
        learning_rate: η, the size of each element's step.

    >>> import jax.numpy as jnp
    >>> from gdlab import sign_sgd
    >>> tx = sign_sgd(0.1)
    >>> tx.update(jnp.array([3.0, 0.0, -4e-9]), tx.init(jnp.zeros(3)))[0]
    Array([-0.1, -0. ,  0.1], dtype=float32)

    Source: J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar, signSGD: compressed
    optimisation for non-convex problems, 2018, algorithm 1.
    """
    return chain(scale_by_sign(), scale_by_learning_rate(learning_rate))


@transformation
def signum(
    learning_rate: Hyperparameter,
    beta: Hyperparameter = 0.9,
    accumulator_dtype: StorageDType | None = None,
) -> GradientTransformation:
    """Descent along the sign of the average gradient.

    mₜ = beta·mₜ₋₁ + (1 − beta)·gₜ, wₜ₊₁ = wₜ − η·sign(mₜ)

    A bias correction would not change the sign of the average. Scaling the gradients by a positive
    number changes nothing. It is :func:`lion` with b1 = b2 and without decay, and :func:`sign_sgd`
    at beta = 0.

    When to use:
        As :func:`sign_sgd`, with smaller batches, since the average reduces the noise of the signs.
        :func:`lion` is usually better.

    Args:
        learning_rate: η, the size of each element's step.
        beta: decay of the average.
        accumulator_dtype: dtype in which the average is stored.

    >>> import jax.numpy as jnp
    >>> from gdlab import signum
    >>> tx = signum(0.1)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (5.0, -1.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    >>> u
    Array([-0.1], dtype=float32)

    Source: J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar, signSGD: compressed
    optimisation for non-convex problems, 2018, algorithm 2.
    """
    return chain(
        ema(beta, accumulator_dtype=accumulator_dtype),
        scale_by_sign(),
        scale_by_learning_rate(learning_rate),
    )

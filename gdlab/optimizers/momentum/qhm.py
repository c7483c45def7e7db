"""Quasi-hyperbolic momentum: a mixture of the gradient and its average."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.signals.joins import interpolate
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def qhm(
    learning_rate: Hyperparameter,
    beta: Hyperparameter = 0.999,
    nu: Hyperparameter = 0.7,
    accumulator_dtype: StorageDType | None = None,
) -> GradientTransformation:
    """Quasi-hyperbolic momentum: steps along a mixture of the gradient and its average.

    mₜ = β·mₜ₋₁ + (1 − β)·gₜ, wₜ₊₁ = wₜ − η·((1 − ν)·gₜ + ν·mₜ)

    At ν = 0 it is gradient descent, at ν = 1 descent along the average, and at ν = β Nesterov's
    momentum on the average, ``sgd(η, β, nesterov=True, averaging=True)``. On a quadratic of
    curvature λ it is stable iff η < 2(1 + β)/((1 + β − 2νβ)λ): 6.66/λ with the defaults.

    When to use:
        In place of momentum, which is a special case. A long average damps the noise, and the
        weight of the current gradient keeps the response fast.

    Args:
        learning_rate: η.
        beta: β, the decay of the average.
        nu: ν, the weight of the average.
        accumulator_dtype: dtype in which the average is stored.

    >>> import jax.numpy as jnp
    >>> from gdlab import qhm
    >>> tx = qhm(1.0, beta=0.5, nu=0.5)
    >>> tx.update(jnp.array([4.0]), tx.init(jnp.zeros(1)))[0]
    Array([-3.], dtype=float32)

    Source: J. Ma, D. Yarats, Quasi-hyperbolic momentum and Adam for deep learning, 2019, eq. 3–4.
    """
    average = ema(beta, accumulator_dtype=accumulator_dtype)
    mixture = fork(interpolate(nu), mu=average, gradient=identity())
    return chain(mixture, scale_by_learning_rate(learning_rate))

"""Gradient descent, plain and with momentum."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.probes.lookahead import look_ahead
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def sgd(
    learning_rate: Hyperparameter,
    momentum: Hyperparameter | None = None,
    nesterov: bool = False,
    accumulator_dtype: StorageDType | None = None,
    *,
    averaging: bool = False,
    learning_rate_in_momentum: bool = False,
) -> GradientTransformation:
    """Gradient descent, stochastic or not, optionally with momentum.

    wₜ₊₁ = wₜ − η·gₜ; with momentum vₜ = β·vₜ₋₁ + gₜ and wₜ₊₁ = wₜ − η·vₜ.

    On a quadratic of curvature λ it is stable iff η < 2/λ; with momentum iff η < 2(1 + β)/λ; with
    averaged momentum iff η < 2(1 + β)/((1 − β)λ); with Nesterov's iff η < 2(1 + β)/((1 + 2β)λ).

    When to use:
        As the baseline of every comparison, with momentum 0.9. On vision networks with a tuned
        learning rate and decay it is hard to beat.

    Args:
        learning_rate: η.
        momentum: β, the decay of the velocity; no momentum unless given.
        nesterov: whether to step along g + βv instead of v: Nesterov's method rewritten for
            gradients at w (:func:`nesterov` evaluates them at the look-ahead point).
        accumulator_dtype: dtype in which v is stored.
        averaging: whether v is the average, v ← βv + (1 − β)g, instead of the sum. The
            trajectories are those of the sum with η scaled by 1 − β.
        learning_rate_in_momentum: whether v accumulates ηg, as in Keras, instead of g, as in optax
            and torch. This makes a difference only if η varies.

    Raises:
        ValueError: if ``averaging`` or ``learning_rate_in_momentum`` is true without a momentum.

    >>> import jax.numpy as jnp
    >>> from gdlab import expand, sgd
    >>> tx = sgd(0.1, momentum=0.9)
    >>> expand(tx)
    chain(trace(0.9), scale_by_learning_rate(0.1))
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)))[0]
    Array([-0.2], dtype=float32)

    Source: H. Robbins, S. Monro, A stochastic approximation method, 1951; B. T. Polyak, Some
    methods of speeding up the convergence of iteration methods, 1964, eq. 9; Y. Bengio et al.,
    Advances in optimizing recurrent networks, 2012, eq. 7.
    """
    step = scale_by_learning_rate(learning_rate)
    if momentum is None:
        # As in optax, the other settings of momentum are accepted and ignored.
        if averaging or learning_rate_in_momentum:
            raise ValueError(
                "sgd: averaging and learning_rate_in_momentum say how momentum is kept, and "
                "momentum is None: give a number, or leave them out"
            )
        return step
    velocity = (ema if averaging else trace)(momentum, nesterov, accumulator_dtype)
    return chain(step, velocity) if learning_rate_in_momentum else chain(velocity, step)


@transformation
def nesterov(
    learning_rate: Hyperparameter,
    momentum: Hyperparameter = 0.9,
    accumulator_dtype: StorageDType | None = None,
    *,
    averaging: bool = False,
    learning_rate_in_momentum: bool = False,
) -> GradientTransformation:
    """Nesterov's accelerated gradient, evaluated at the point to which momentum leads.

    vₜ = β·vₜ₋₁ + ∇f(wₜ − ηβ·vₜ₋₁), wₜ₊₁ = wₜ − η·vₜ

    On a quadratic of curvature λ it is stable iff η < 2(1 + β)/((1 + 2β)λ). In terms of yₜ = wₜ −
    ηβ·vₜ₋₁ it is ``sgd(η, β, nesterov=True)``, which needs no second gradient.

    When to use:
        On smooth, convex, badly conditioned problems, where no first-order method has a better
        rate.

    Args:
        learning_rate: η.
        momentum: β, the decay of the velocity.
        accumulator_dtype: dtype in which v is stored.
        averaging: as in :func:`sgd`.
        learning_rate_in_momentum: as in :func:`sgd`.

    ``update`` needs ``params`` and the keyword ``grad_fn``; ``minimize`` and ``sweep`` supply it.

    Raises:
        ValueError: if ``params`` or ``grad_fn`` are missing.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import nesterov
    >>> tx = nesterov(0.1, 0.5)
    >>> grad_fn = jax.grad(lambda w: 0.5 * w**2)
    >>> w, state = jnp.array(1.0), tx.init(jnp.array(1.0))
    >>> for _ in range(2):
    ...     updates, state = tx.update(grad_fn(w), state, w, grad_fn=grad_fn)
    ...     w = w + updates
    >>> w
    Array(0.765, dtype=float32)

    Source: Y. Nesterov, A method for solving the convex programming problem with convergence rate
    O(1/k²), 1983; I. Sutskever et al., On the importance of initialization and momentum in deep
    learning, 2013, eq. 3–4.
    """
    return look_ahead(
        sgd(
            learning_rate,
            momentum,
            accumulator_dtype=accumulator_dtype,
            averaging=averaging,
            learning_rate_in_momentum=learning_rate_in_momentum,
        )
    )

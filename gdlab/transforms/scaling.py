"""Scaling: by a number, by the learning rate, or by the size of past gradients."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import abs_squared, safe_divide, safe_sqrt
from gdlab.core.rules import Shared
from gdlab.core.transformation import leafwise, transformation
from gdlab.core.wiring import chain, fork, identity, join
from gdlab.transforms.averaging import Weight, debias, ema


@leafwise
def scale(step_size: Hyperparameter) -> Any:
    """Multiply the updates by a number.

    uₜ = step_size·gₜ

    >>> import jax.numpy as jnp
    >>> from gdlab import scale
    >>> tx = scale(2.0)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([6.], dtype=float32)
    """
    return lambda u: step_size * u


@leafwise
def scale_by_learning_rate(learning_rate: Hyperparameter, *, flip_sign: bool = True) -> Any:
    """Turn a direction of ascent into the step of descent.

    uₜ = −learning_rate·gₜ

    Args:
        learning_rate: η, a number, a schedule, or a tree of one for each leaf.
        flip_sign: False to ascend.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_learning_rate
    >>> tx = scale_by_learning_rate({"w": 0.1, "b": 0.5})
    >>> params = {"w": jnp.ones(1), "b": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'b': Array([-0.5], dtype=float32), 'w': Array([-0.1], dtype=float32)}
    """
    return lambda u: (-learning_rate if flip_sign else learning_rate) * u


@transformation
def scale_by_schedule(step_size_fn: Hyperparameter) -> Any:
    """Multiply the updates by the value of a schedule.

    uₜ = step_size_fn(t)·gₜ

    It is :func:`scale` under the name that optax's users know.

    >>> import jax.numpy as jnp
    >>> from gdlab import linear_schedule, scale_by_schedule
    >>> tx = scale_by_schedule(linear_schedule(1.0, 0.0, 4))
    >>> state = tx.init(jnp.zeros(1))
    >>> for _ in range(2):
    ...     u, state = tx.update(jnp.array([8.0]), state)
    >>> u
    Array([6.], dtype=float32)
    """
    return scale(step_size_fn)


@leafwise
def square() -> Any:
    """Square the updates, element by element.

    uₜ = |gₜ|²

    >>> import jax.numpy as jnp
    >>> from gdlab import square
    >>> tx = square()
    >>> tx.update(jnp.array([-3.0]), tx.init(jnp.zeros(1)))[0]
    Array([9.], dtype=float32)
    """
    return abs_squared


@join
def ratio(eps: Hyperparameter | None = None, eps_root: Hyperparameter | None = None) -> Any:
    """Join a direction and a second moment: the direction over the moment's root.

    u = m / (√(v + eps_root) + eps), and 0 where that denominator is 0.

    Args:
        eps: ε added outside the root, in the units of the gradient.
        eps_root: ε added inside the root, in their square.

    >>> import jax.numpy as jnp
    >>> from gdlab import ratio
    >>> ratio(eps=1.0)(jnp.array([6.0, 0.0]), jnp.array([4.0, 0.0]))
    Array([2., 0.], dtype=float32)
    """

    def divide(m, v):
        root = safe_sqrt(v if eps_root is None else v + eps_root)
        return safe_divide(m, root) if eps is None else safe_divide(m, root + eps, at_least=eps)

    return divide


@join
def quotient(eps: Hyperparameter | None = None) -> Any:
    """Join a direction and a size: the one over the other.

    u = m / (n + eps), and 0 where that denominator is 0.

    >>> import jax.numpy as jnp
    >>> from gdlab import quotient
    >>> quotient()(jnp.array([6.0, 0.0]), jnp.array([4.0, 0.0]))
    Array([1.5, 0. ], dtype=float32)
    """

    def divide(m, n):
        return safe_divide(m, n) if eps is None else safe_divide(m, n + eps, at_least=eps)

    return divide


def placed(eps: Any, eps_in_sqrt: bool) -> Any:
    """The ratio with its ε where a convention wants it."""
    return ratio(eps_root=eps) if eps_in_sqrt else ratio(eps=eps)


@transformation
def scale_by_rms(
    decay: Hyperparameter = 0.9,
    eps: Hyperparameter = 1e-8,
    initial_scale: Hyperparameter | None = None,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> Any:
    """Divide by the root of the mean square of recent gradients.

    vₜ = decay·vₜ₋₁ + (1 − decay)·gₜ², uₜ = gₜ/√(vₜ + eps)

    Args:
        decay: weight of the old value in the average of squares.
        eps: ε, which bounds the step where gradients vanish.
        initial_scale: v₀, where it is not 0.
        eps_in_sqrt: whether ε stands inside the root (optax, Keras) or outside (torch).
        bias_correction: whether vₜ is divided by 1 − decayᵗ.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_rms
    >>> tx = scale_by_rms(0.75)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([2.], dtype=float32)

    Source: T. Tieleman, G. Hinton, Lecture 6.5: RMSProp, 2012.
    """
    average = ema(decay, initial_value=initial_scale)
    mean_square = chain(square(), debias(average) if bias_correction else average)
    return fork(placed(eps, eps_in_sqrt), identity(), mean_square)


class VarianceState(NamedTuple):
    """State of :func:`variance`."""

    mean: Any
    """The average of the gradients (corrected, if asked for), shaped like the parameters."""
    variance: Any
    """The average of the squared deviations from it, shaped like the parameters."""


@leafwise
def variance(
    decay: Hyperparameter,
    initial_scale: Hyperparameter | None = None,
    bias_correction: bool = False,
) -> Any:
    """The exponentially weighted variance of the updates.

    With vₜ and mₜ the averages of gₜ² and gₜ it is vₜ − mₜ², computed without that difference:
    sₜ = decay·sₜ₋₁ + decay·(1 − decay)·(gₜ − mₜ₋₁)². It is never negative.

    Args:
        decay: weight of the old value in both averages.
        initial_scale: v₀, where it is not 0.
        bias_correction: whether vₜ and mₜ are divided by 1 − decayᵗ.

    >>> import jax.numpy as jnp
    >>> from gdlab import variance
    >>> tx = variance(0.5)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)))[0]
    Array([1.], dtype=float32)

    Source: A. Graves, Generating sequences with recurrent neural networks, 2013, eq. 38–40.
    """

    def init(param):
        start = 0 if initial_scale is None or bias_correction else initial_scale
        return VarianceState(jnp.zeros_like(param), jnp.full_like(param, start).real)

    def update(u, state, shared):
        # Corrected averages are averages in which the newest value weighs more: as a difference of
        # theirs the variance would be rounding at first, and negative at times.
        share = (1 - decay) / shared.value() if bias_correction else 1 - decay
        deviation = u - state.mean
        mean = state.mean + share * deviation
        spread = (1 - share) * (state.variance + share * abs_squared(deviation))
        new = VarianceState(mean, spread)
        if initial_scale is None or not bias_correction:
            return spread, new
        return spread + initial_scale * shared.remaining / shared.value(), new

    return init, update, Shared(lambda: Weight(0.0, 1.0), lambda weight: weight.after(decay))


@transformation
def scale_by_stddev(
    decay: Hyperparameter = 0.9,
    eps: Hyperparameter = 1e-8,
    initial_scale: Hyperparameter | None = None,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> Any:
    """Divide by the standard deviation of recent gradients.

    uₜ = gₜ/√(vₜ − mₜ² + eps), with mₜ and vₜ the averages of gₜ and gₜ²

    Args:
        decay: weight of the old value in both averages.
        eps: ε, which bounds the step where gradients do not vary.
        initial_scale: v₀, where it is not 0.
        eps_in_sqrt: whether ε stands inside the root or outside.
        bias_correction: whether vₜ and mₜ are divided by 1 − decayᵗ.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_stddev
    >>> tx = scale_by_stddev(0.5)
    >>> tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)))[0]
    Array([2.], dtype=float32)

    Source: A. Graves, Generating sequences with recurrent neural networks, 2013, eq. 38–41.
    """
    spread = variance(decay, initial_scale, bias_correction)
    return fork(placed(eps, eps_in_sqrt), identity(), spread)


class SumOfSquaresState(NamedTuple):
    """State of :func:`sum_of_squares`."""

    sum_of_squares: Any
    """The accumulated squares, shaped like the parameters."""


@leafwise
def sum_of_squares(initial_accumulator_value: Hyperparameter = 0.0) -> Any:
    """Accumulate the squares of all updates so far.

    Gₜ = Gₜ₋₁ + |gₜ|², G₀ = initial_accumulator_value

    >>> import jax.numpy as jnp
    >>> from gdlab import sum_of_squares
    >>> tx = sum_of_squares()
    >>> tx.update(jnp.array([-2.0]), tx.init(jnp.zeros(1)))[0]
    Array([4.], dtype=float32)

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, 2011, figure 1.
    """

    def init(param):
        return SumOfSquaresState(jnp.full_like(param, initial_accumulator_value).real)

    def update(u, state):
        total = state.sum_of_squares + abs_squared(u)
        return total, SumOfSquaresState(total)

    return init, update


@transformation
def scale_by_rss(
    initial_accumulator_value: Hyperparameter = 0.1,
    eps: Hyperparameter = 1e-7,
    eps_in_sqrt: bool = True,
) -> Any:
    """Divide by the root of the sum of squares of all gradients so far.

    Gₜ = Gₜ₋₁ + gₜ², uₜ = gₜ/√(Gₜ + eps)

    Args:
        initial_accumulator_value: G₀; the paper and torch have 0, optax and Keras .1.
        eps: ε, which bounds the step where gradients vanish.
        eps_in_sqrt: whether ε stands inside the root (optax, Keras) or outside (torch).

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_rss
    >>> tx = scale_by_rss(0.0)
    >>> tx.update(jnp.array([-2.0]), tx.init(jnp.zeros(1)))[0]
    Array([-1.], dtype=float32)

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, 2011, figure 1.
    """
    return fork(placed(eps, eps_in_sqrt), identity(), sum_of_squares(initial_accumulator_value))


class InfinityNormState(NamedTuple):
    """State of :func:`infinity_norm`."""

    norm: Any
    """The decayed maximum of |g|, shaped like the parameters."""


@leafwise
def infinity_norm(decay: Hyperparameter, eps: Hyperparameter | None = None) -> Any:
    """The decayed maximum of the updates' sizes: the second moment's limit for p → ∞.

    nₜ = max(decay·nₜ₋₁, |gₜ| + eps)

    Args:
        decay: weight of the old maximum.
        eps: ε added to the size of each gradient.

    >>> import jax.numpy as jnp
    >>> from gdlab import infinity_norm
    >>> tx = infinity_norm(0.5)
    >>> _, state = tx.update(jnp.array([-8.0]), tx.init(jnp.zeros(1)))
    >>> tx.update(jnp.array([1.0]), state)[0]
    Array([4.], dtype=float32)

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 2.
    """

    def init(param):
        return InfinityNormState(jnp.zeros_like(param).real)

    def update(u, state):
        size = jnp.abs(u) if eps is None else jnp.abs(u) + eps
        norm = jnp.maximum(decay * state.norm, size)
        return norm, InfinityNormState(norm)

    return init, update


class MaximumState(NamedTuple):
    """State of :func:`running_maximum`."""

    maximum: Any
    """The largest value so far, shaped like the parameters."""


@leafwise
def running_maximum() -> Any:
    """The largest value so far, element by element, from zero.

    uₜ = max(uₜ₋₁, gₜ), u₀ = 0

    >>> import jax.numpy as jnp
    >>> from gdlab import running_maximum
    >>> tx = running_maximum()
    >>> _, state = tx.update(jnp.array([8.0]), tx.init(jnp.zeros(1)))
    >>> tx.update(jnp.array([1.0]), state)[0]
    Array([8.], dtype=float32)

    Source: S. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, 2018, algorithm 2.
    """

    def init(param):
        return MaximumState(jnp.zeros_like(param))

    def update(u, state):
        maximum = jnp.maximum(state.maximum, u)
        return maximum, MaximumState(maximum)

    return init, update

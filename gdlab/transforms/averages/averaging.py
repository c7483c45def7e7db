"""Exponential moving averages, plain and with Nesterov's look-ahead."""

import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import storage_dtype
from gdlab.core.transformation import leafwise
from gdlab.transforms.averages.debiasing import Weight


@leafwise(nonnegative="like input")
def ema(
    decay: Hyperparameter,
    nesterov: bool = False,
    accumulator_dtype: StorageDType | None = None,
    *,
    initial_value: Hyperparameter | None = None,
    lagged: bool = False,
) -> LeafFunctions:
    """Exponential moving average, plain: it starts at zero and is not corrected for that.

    mₜ = decay·mₜ₋₁ + (1 − decay)·gₜ, m₀ = 0; the value k steps back weighs (1 − decay)·decayᵏ,
    and the weights sum to 1 − decayᵗ (:func:`debias` divides by it). The output is mₜ, or
    decay·mₜ + (1 − decay)·gₜ with ``nesterov``.

    A first-order low-pass filter: gain 1 at frequency 0, decay = e^(−Δt/RC).

    Args:
        decay: weight β of the old value, in [0, 1).
        nesterov: look one step ahead along the average.
        accumulator_dtype: dtype in which m is stored; the parameter's, at least float32.
        initial_value: the initial value m₀; by default 0.
        lagged: whether the output is mₜ₋₁, the average without this gradient, at no cost of memory;
            with ``nesterov`` it is then mₜ.

    >>> import jax.numpy as jnp
    >>> from gdlab import ema
    >>> tx = ema(0.9)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (7.5, 4.0):
    ...     m, state = tx.update(jnp.array([g]), state)
    ...     print(m)
    [0.75]
    [1.075]

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 1.
    """

    def init(like):
        start = 0 if initial_value is None else initial_value
        return jnp.full_like(like, start, dtype=storage_dtype(like, accumulator_dtype))

    def update(u, m):
        after = decay * m + (1 - decay) * u
        average = m if lagged else after
        return (decay * average + (1 - decay) * u if nesterov else average), after

    return init, update


@leafwise(shared="weight")
def nesterov_ema(
    decay: Hyperparameter,
    next_decay: Hyperparameter | None = None,
    accumulator_dtype: StorageDType | None = None,
    *,
    average_decay: Hyperparameter | None = None,
) -> LeafFunctions:
    """The bias-corrected average with Nesterov's look-ahead: the momentum of Nadam.

    mₜ = μₜ·mₜ₋₁ + (1 − μₜ)·gₜ; the output is
    μₜ₊₁·mₜ/(1 − ∏ᵢ₌₁ᵗ⁺¹ μᵢ) + (1 − μₜ)·gₜ/(1 − ∏ᵢ₌₁ᵗ μᵢ).

    Args:
        decay: μₜ, the weight of the old value at this step.
        next_decay: μₜ₊₁; by default ``decay``.
        accumulator_dtype: dtype in which m is stored; the parameter's, at least float32.
        average_decay: the decay of m itself; by default μₜ.

    >>> import jax.numpy as jnp
    >>> from gdlab import nesterov_ema
    >>> tx = nesterov_ema(0.5)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([4.], dtype=float32)

    Source: T. Dozat, Incorporating Nesterov momentum into Adam, 2016, algorithm 2.
    """
    ahead = decay if next_decay is None else next_decay
    of_average = decay if average_decay is None else average_decay

    def init(like):
        return jnp.zeros_like(like, dtype=storage_dtype(like, accumulator_dtype))

    def update(u, m, weight):
        m = of_average * m + (1 - of_average) * u
        now, after = weight.value(), weight.after(ahead).value()
        return ahead * m / after + (1 - decay) * u / now, m

    return init, update, Shared(Weight.at_start, lambda weight: weight.after(decay))

"""Averages of what came before: accumulated, exponential, and corrected for their start at zero."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.rules import LeafRule, Shared, rule_of
from gdlab.core.transformation import GradientTransformation, leafwise, transformation


class TraceState(NamedTuple):
    """State of :func:`trace`."""

    trace: Any
    """The accumulated momentum, shaped like the parameters."""


class EmaState(NamedTuple):
    """State of :func:`ema`."""

    ema: Any
    """The average, shaped like the parameters."""


class DebiasState(NamedTuple):
    """State of :func:`debias`."""

    average: Any
    """The state of the average."""
    response: Any
    """The state of the same average of three numbers that tell its weight."""


@leafwise
def trace(decay: Hyperparameter, nesterov: bool = False, accumulator_dtype: Any = None) -> Any:
    """Momentum, accumulating: the sum of past gradients, older ones weighing less.

    vₜ = decay·vₜ₋₁ + gₜ, v₀ = 0; the output is vₜ, or gₜ + decay·vₜ with ``nesterov``.

    On a constant gradient it grows to g/(1 − decay); it equals :func:`ema` divided by 1 − decay.

    Args:
        decay: weight β of the old value, in [0, 1).
        nesterov: look one step ahead along the velocity (Bengio et al. 2012, eq. 7).
        accumulator_dtype: dtype in which v is stored; the parameter's, at least float32.

    >>> import jax.numpy as jnp
    >>> from gdlab import trace
    >>> tx = trace(0.5)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 1.0, 0.0):
    ...     v, state = tx.update(jnp.array([g]), state)
    ...     print(v)
    [1.]
    [1.5]
    [0.75]

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964,
    eq. 9.
    """

    def init(param):
        return TraceState(jnp.zeros_like(param, dtype=accumulator_dtype))

    def update(u, state):
        v = decay * state.trace + u
        return (u + decay * v if nesterov else v), TraceState(v)

    return init, update


@leafwise
def ema(
    decay: Hyperparameter,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
    *,
    initial_value: Hyperparameter | None = None,
) -> Any:
    """Exponential moving average, plain: it starts at zero and is not corrected for that.

    mₜ = decay·mₜ₋₁ + (1 − decay)·gₜ, m₀ = 0; the value k steps back weighs (1 − decay)·decayᵏ,
    and the weights sum to 1 − decayᵗ (:func:`debias` divides by it). The output is mₜ, or
    decay·mₜ + (1 − decay)·gₜ with ``nesterov``.

    A first-order low-pass filter: gain 1 at frequency 0, decay = e^(−Δt/RC).

    Args:
        decay: weight β of the old value, in [0, 1).
        nesterov: look one step ahead along the average.
        accumulator_dtype: dtype in which m is stored; the parameter's, at least float32.
        initial_value: m₀, where it is not 0.

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

    def init(param):
        start = 0 if initial_value is None else initial_value
        return EmaState(jnp.full_like(param, start, dtype=accumulator_dtype))

    def update(u, state):
        m = decay * state.ema + (1 - decay) * u
        return (decay * m + (1 - decay) * u if nesterov else m), EmaState(m)

    return init, update


@transformation
def debias(average: GradientTransformation) -> Any:
    """Correct a linear average for its start at zero.

    m̂ₜ = mₜ / wₜ, where wₜ is what the same average makes of the constant 1: for ``ema(β)`` that
    is 1 − βᵗ, and it stays right when β follows a schedule. A constant is averaged to itself.

    Args:
        average: a leafwise linear transformation that starts at zero, such as :func:`ema`.

    Raises:
        TypeError: if ``average`` is not leafwise.

    >>> import jax.numpy as jnp
    >>> from gdlab import debias, ema
    >>> tx = debias(ema(0.9))
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (7.5, 4.0):
    ...     m, state = tx.update(jnp.array([g]), state)
    ...     print(m.round(4))
    [7.5]
    [5.6579]

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, section 3.
    """
    rule = rule_of(average)
    if not isinstance(rule, LeafRule):
        raise TypeError(f"debias needs a linear average of each array, not {average!r}")

    def start(dtype):
        slots = rule.init(jnp.zeros(3, dtype))
        from_zero_one_one = jnp.array([0, 1, 1], dtype)
        return rule.start(dtype), jax.tree.map(lambda _: from_zero_one_one, slots)

    def advance(shared):
        own, slots = shared
        own, context = rule.advance(own)
        inputs = jnp.array([1, 0, 1], jax.tree.leaves(slots)[0].dtype)
        output, slots = rule.update(inputs, slots, jnp.zeros_like(inputs), context)
        response, remaining, sustained = output
        # Near 1 the response stalls by rounding, so there it is taken from what remains of the
        # start; but only the response of an average whose gain is 1 is one minus that.
        exact = (remaining < 0.5) & (sustained == 1)
        weight = jnp.where(exact, 1 - remaining, response)
        # A division by 1, which XLA does not know to be 1: it computes divisions once, and anything
        # cheaper anew in the kernel of each array, which takes a fifth longer to compile.
        weight = weight / jnp.where(exact, sustained, 1)
        return (own, slots), (weight, context)

    def update(u, slots, param, context):
        weight, inner = context
        averaged, slots = rule.update(u, slots, param, inner)
        return averaged / weight, slots

    def unpack(state):
        slots, own = rule.unpack(state.average)
        return slots, (own, state.response)

    return LeafRule(
        init=rule.init,
        update=update,
        start=start,
        advance=advance,
        pack=lambda slots, shared: DebiasState(rule.pack(slots, shared[0]), shared[1]),
        unpack=unpack,
        needs_params=rule.needs_params,
    )


class Weight(NamedTuple):
    """How much of an exponential average has arrived, and what remains of its start."""

    arrived: Any
    remaining: Any

    def value(self) -> jax.Array:
        """1 − ∏ decayₜ, without cancellation at the start or stalling at the end."""
        return jnp.where(self.remaining < 0.5, 1 - self.remaining, self.arrived)

    def after(self, decay: Any) -> "Weight":
        """The weight one step later."""
        return Weight(decay * self.arrived + (1 - decay), decay * self.remaining)


@leafwise
def bias_correction(b1: Hyperparameter, b2: Hyperparameter) -> Any:
    """One scalar in place of two corrections: Adam in Kingma and Ba's efficient form.

    uₜ = gₜ·√(1 − b2ᵗ)/(1 − b1ᵗ)

    It follows uncorrected momentum over uncorrected RMS. An ε̂ added to the uncorrected root is
    then the corrected form's ε times √(1 − b2ᵗ): Keras's convention.

    Args:
        b1: decay of the momentum.
        b2: decay of the average of squares.

    >>> from gdlab import bias_correction, chain, ema, fork, ratio, scale_by_learning_rate, square
    >>> adaptive = fork(ratio(eps=1e-8), ema(0.9), chain(square(), ema(0.999)))
    >>> tx = chain(adaptive, bias_correction(0.9, 0.999), scale_by_learning_rate(1e-3))

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, end of section 2.
    """

    def start():
        return Weight(0.0, 1.0), Weight(0.0, 1.0)

    def advance(weights):
        first, second = weights
        return first.after(b1), second.after(b2)

    def update(u, state, shared):
        first, second = shared
        return u * (jnp.sqrt(second.value()) / first.value()), state

    return lambda _: (), update, Shared(start, advance)


@leafwise
def nesterov_ema(
    decay: Hyperparameter,
    next_decay: Hyperparameter | None = None,
    accumulator_dtype: Any = None,
    *,
    average_decay: Hyperparameter | None = None,
) -> Any:
    """The average one step ahead, corrected as Dozat does: the momentum of Nadam.

    mₜ = μₜ·mₜ₋₁ + (1 − μₜ)·gₜ; the output is
    μₜ₊₁·mₜ/(1 − ∏ᵢ₌₁ᵗ⁺¹ μᵢ) + (1 − μₜ)·gₜ/(1 − ∏ᵢ₌₁ᵗ μᵢ).

    Args:
        decay: μₜ, the weight of the old value at this step.
        next_decay: μₜ₊₁; ``decay`` unless given.
        accumulator_dtype: dtype in which m is stored; the parameter's, at least float32.
        average_decay: the decay of m itself, where it is not μₜ.

    >>> import jax.numpy as jnp
    >>> from gdlab import nesterov_ema
    >>> tx = nesterov_ema(0.5)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([4.], dtype=float32)

    Source: T. Dozat, Incorporating Nesterov momentum into Adam, 2016, algorithm 2.
    """
    ahead = decay if next_decay is None else next_decay
    of_average = decay if average_decay is None else average_decay

    def init(param):
        return EmaState(jnp.zeros_like(param, dtype=accumulator_dtype))

    def start():
        return Weight(0.0, 1.0)

    def update(u, state, shared):
        m = of_average * state.ema + (1 - of_average) * u
        now, after = shared.value(), shared.after(ahead).value()
        return ahead * m / after + (1 - decay) * u / now, EmaState(m)

    return init, update, Shared(start, lambda weight: weight.after(decay))

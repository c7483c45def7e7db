"""Averages corrected for their start at zero."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.authoring import Shared
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.rules import LeafRule, rule_of
from gdlab.core.transformation import GradientTransformation, leafwise, transformation


class DebiasState(NamedTuple):
    """State of :func:`debias`."""

    average: Any
    """The state of the average."""
    response: Any
    """The state of the same average of three numbers that tell its weight."""


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

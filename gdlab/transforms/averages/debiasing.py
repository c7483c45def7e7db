"""Averages corrected for their start at zero."""

from typing import NamedTuple, cast

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import Fraction, Hyperparameter
from gdlab.core.numerics import cast_like
from gdlab.core.rules import ArrayRule, Part, Reading
from gdlab.core.structure import Number
from gdlab.core.transformation import GradientTransformation, leafwise, wiring


@wiring
def debias(average: GradientTransformation) -> ArrayRule:
    """Correct a linear average for its start at zero.

    m̂ₜ = mₜ / wₜ, where wₜ is the response of the same average to the constant 1: for ``ema(β)`` it
    is 1 − βᵗ, and it stays right if β follows a schedule. So the average of a constant is the
    constant.

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
    tx, rule, *_ = cast(Part, average)
    if not isinstance(rule, ArrayRule) or rule.takes_bus or rule.gives_bus or not rule.slots:
        raise TypeError(f"debias: average must be a linear average of each array, not {tx!r}")
    if rule.by_leaf:
        raise TypeError(
            f"debias({tx!r}): what all leaves share, such as the weight of a bias correction, "
            "needs one value where one for each leaf was given"
        )

    def alone(response):
        return response if len(rule.slots) > 1 else response[0]

    def start(dtype):
        from_zero_one_one = jnp.array([0, 1, 1], dtype)
        response = rule.init(jnp.zeros(3, dtype), Reading())
        spread = lambda slot: jnp.broadcast_to(from_zero_one_one, slot.shape)  # noqa: E731
        return *rule.start(dtype), alone(jax.tree.map(spread, response))

    def advance(shared):
        *own, response = shared
        response = response if len(rule.slots) > 1 else (response,)
        own, context = rule.advance(tuple(own))
        inputs = jnp.array([1, 0, 1], jax.tree.leaves(response)[0].dtype)
        output, after = rule.update(inputs, response, context, Reading(jnp.zeros_like(inputs)))
        arrived, remaining, sustained = output
        # Near 1 the response stalls by rounding, so it is computed as one minus the weight of the
        # start, which is right only for averages of gain 1.
        exact = (remaining < 0.5) & (sustained == 1)
        weight = jnp.where(exact, 1 - remaining, arrived)
        # Without any input the average is 0, and 0/1 keeps it 0.
        weight = jnp.where(weight == 0, 1, weight)
        # A division by 1 that XLA cannot simplify: XLA computes divisions once, but would repeat
        # cheaper operations in the kernel of each array, which takes a fifth longer to compile.
        weight = weight / jnp.where(exact, sustained, 1)
        return (*own, alone(cast_like(after, response))), (weight, context)

    def update(u, slots, context, reading):
        weight, inner = context
        averaged, slots = rule.update(u, slots, inner, reading)
        return averaged / weight, slots

    return rule._replace(
        update=update, shared=(*rule.shared, "weight"), start=start, advance=advance
    )


@is_exported
class Weight(NamedTuple):
    """The total weight of the values in an exponential average, and the weight of its start."""

    arrived: Number
    remaining: Number

    @classmethod
    def at_start(cls) -> "Weight":
        """Return the weights before the first value: 0 for values and 1 for the start."""
        return cls(0.0, 1.0)

    def value(self) -> jax.Array:
        """1 − ∏ decayₜ, without cancellation at the start or stalling at the end."""
        return jnp.where(self.remaining < 0.5, 1 - self.remaining, self.arrived)

    def after(self, decay: Number) -> "Weight":
        """The weight one step later."""
        return Weight(decay * self.arrived + (1 - decay), decay * self.remaining)


@leafwise(shared="weights")
def bias_correction(b1: Hyperparameter, b2: Fraction) -> LeafFunctions:
    """One scalar factor for both bias corrections: Adam in Kingma and Ba's efficient form.

    uₜ = gₜ·√(1 − b2ᵗ)/(1 − b1ᵗ)

    Use it after the quotient of uncorrected momentum and uncorrected RMS. An ε̂ added to the
    uncorrected root then corresponds to ε = ε̂/√(1 − b2ᵗ) in the corrected form: Keras's
    convention.

    Args:
        b1: decay of the momentum.
        b2: decay of the average of squares.

    >>> from gdlab import bias_correction, chain, ema, fork, ratio, scale_by_learning_rate, square
    >>> adaptive = fork(ratio(eps=1e-8), ema(0.9), chain(square(), ema(0.999)))
    >>> tx = chain(adaptive, bias_correction(0.9, 0.999), scale_by_learning_rate(1e-3))

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, end of section 2.
    """

    def start():
        return Weight.at_start(), Weight.at_start()

    def advance(weights):
        first, second = weights
        return first.after(b1), second.after(b2)

    def update(u, weights):
        first, second = weights
        return u * (jnp.sqrt(second.value()) / first.value())

    return None, update, Shared(start, advance)


@leafwise(shared="weight")
def divide_by_weight(decay: Hyperparameter, *, ahead: bool = False) -> LeafFunctions:
    """Divide by the total weight of an average that started at zero.

    uₜ = gₜ/(1 − decayᵗ), or gₜ/(1 − decayᵗ⁺¹) with ``ahead``

    It does the correction of :func:`debias` separately from the average: for a signal that is used
    both corrected and uncorrected, or for a moment that is not linear.

    Args:
        decay: weight of the old value in the average.
        ahead: whether the weight is that of the next step, as in Nesterov's look-ahead.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, divide_by_weight, ema
    >>> tx = chain(ema(0.9), divide_by_weight(0.9))
    >>> tx.update(jnp.array([7.5]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([7.5], dtype=float32)

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, section 3.
    """

    def update(u, weight):
        return u / (weight.after(decay) if ahead else weight).value()

    return None, update, Shared(Weight.at_start, lambda weight: weight.after(decay))

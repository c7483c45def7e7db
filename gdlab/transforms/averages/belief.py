"""The second moment of AdaBelief and ACProp."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.hyperparameter import Fraction, NonNegative
from gdlab.core.transformation import leafwise
from gdlab.transforms.averages.debiasing import Weight


@leafwise(shared="weights", nonnegative="like input")
def belief(decay: Fraction, eps: NonNegative, *, lagged: bool = False) -> LeafFunctions:
    """The bias-corrected average of squared deviations, with an ε that accumulates.

    sₜ = decay·sₜ₋₁ + (1 − decay)·gₜ + eps, s₀ = 0; the output is sₜ/(1 − decayᵗ)

    With zero input, s tends to eps/(1 − decay).

    Args:
        decay: weight of the old value.
        eps: ε, added at each step.
        lagged: whether the output is that of the previous step, and 1 at first.

    >>> import jax.numpy as jnp
    >>> from gdlab import belief
    >>> tx = belief(0.5, 0.25)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.zeros(1)))[0]
    Array([1.5], dtype=float32)

    Source: J. Zhuang et al., AdaBelief optimizer: adapting stepsizes by the belief in observed
    gradients, 2020, algorithm 2.
    """

    def advance(weights):
        _, now = weights
        return now, now.after(decay)

    def update(u, s, weights):
        # In this order XLA does not recompute the sum at each use from the overwritten s.
        after = decay * s + ((1 - decay) * u + eps)
        before, now = (weight.value() for weight in weights)
        if not lagged:
            return after / now, after
        has_begun = before > 0
        return jnp.where(has_begun, s / jnp.where(has_begun, before, 1), 1), after

    return jnp.zeros_like, update, Shared(lambda: (Weight.at_start(),) * 2, advance)

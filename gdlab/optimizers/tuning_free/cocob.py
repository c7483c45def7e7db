"""COCOB: each parameter bets on the sign of its next gradient."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.parameters.from_start import from_start
from gdlab.transforms.signals.scaling import scale


@leafwise(
    slots=("cumulative_gradients", "scale", "subgradients", "reward"),
    nonnegative=("scale", "subgradients", "reward"),
)
def coin_betting(alpha: Hyperparameter = 100.0, eps: NonNegative = 1e-8) -> LeafFunctions:
    """The displacement from the start, for each element, by betting on its gradients.

    Lₜ = max(Lₜ₋₁, |gₜ|), Gₜ = Gₜ₋₁ + |gₜ|, Rₜ = max(Rₜ₋₁ − gₜ·dₜ₋₁, 0), θₜ = θₜ₋₁ − gₜ,
    dₜ = θₜ/(Lₜ·max(Gₜ + Lₜ, alpha·Lₜ))·(Lₜ + Rₜ), L₀ = eps, for each element by itself

    The fraction of the wealth L + R that is bet grows with the excess of one sign over the other.
    Scaling the gradients does not change the displacements (ε → 0).

    Args:
        alpha: α, which bounds the first bets by 1/alpha.
        eps: ε = L₀, below the largest gradient expected.

    >>> import jax.numpy as jnp
    >>> from gdlab import coin_betting
    >>> tx = coin_betting(alpha=4.0)
    >>> tx.update(jnp.array([-3.0]), tx.init(jnp.zeros(1)))[0]
    Array([0.25], dtype=float32)

    Source: F. Orabona, T. Tommasi, Training deep networks without learning rates through coin
    betting, 2017, algorithm 2.
    """

    def bet(total, largest, absolute, reward):
        fraction = safe_divide(largest + reward, jnp.maximum(absolute + largest, alpha * largest))
        return safe_divide(total, largest) * fraction

    def init(like):
        zeros = jnp.zeros_like(like)
        return zeros, jnp.full_like(like, eps), zeros, zeros

    def update(u, state):
        total, largest, absolute, reward = state
        # max(Rₜ₋₁ − gₜ·dₜ₋₁, 0), without a maximum with a constant: XLA would recompute that for
        # the bet, from arrays that are replaced.
        reward = reward - jnp.minimum(u * bet(*state), reward)
        absolute, largest = absolute + jnp.abs(u), jnp.maximum(largest, jnp.abs(u))
        state = total - u, largest, absolute, reward
        return bet(*state), state

    return init, update


@transformation
def scale_by_cocob(
    alpha: Hyperparameter = 100.0, eps: NonNegative = 1e-8
) -> GradientTransformation:
    """The step to the initial parameters plus the displacement by coin betting.

    uₜ = w₀ + dₜ − wₜ with d of :func:`coin_betting`

    Args:
        alpha: α, which bounds the first bets by 1/alpha.
        eps: ε, below the largest gradient expected.

    >>> from gdlab import expand, scale_by_cocob
    >>> expand(scale_by_cocob())
    chain(coin_betting(), from_start())

    Source: F. Orabona, T. Tommasi, Training deep networks without learning rates through coin
    betting, 2017, algorithm 2.
    """
    return chain(coin_betting(alpha, eps), from_start())


@transformation
def cocob(
    learning_rate: Hyperparameter = 1.0,
    alpha: Hyperparameter = 100.0,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """Coin betting, which has no learning rate to tune (COCOB-Backprop).

    wₜ₊₁ = w₀ + η·dₜ with d of :func:`coin_betting`, for each element by itself

    Scaling the gradients changes nothing (ε → 0). While all gradients of an element have the same
    sign, it moves by at most 1/alpha at first, and exponentially later.

    When to use:
        If no hyperparameter can be searched and gradients are bounded. It starts slowly, its state
        has five numbers per parameter, and a tuned Adam is usually better.

    Args:
        learning_rate: η, a factor on the displacement; 1 in the paper.
        alpha: α, which bounds the first bets by 1/alpha.
        eps: ε, below the largest gradient expected.
        weight_decay: λ, coupled.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import cocob, minimize
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), cocob(), steps=400)
    >>> jnp.all(jnp.abs(run.params - 3.0) < 0.5)
    Array(True, dtype=bool)

    Source: F. Orabona, T. Tommasi, Training deep networks without learning rates through coin
    betting, 2017, algorithm 2.
    """
    return chain(
        add_decayed_weights(weight_decay, mask),
        coin_betting(alpha, eps),
        scale(learning_rate),
        from_start(),
    )

"""D-Adaptation of Adan."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, OneOrMore, Positive
from gdlab.core.numerics import abs_squared, common_dtype, safe_divide, safe_sqrt, trained
from gdlab.core.transformation import transformation
from gdlab.optimizers.tuning_free.distance import averaged, grown
from gdlab.transforms.norms.inner_products import (
    add_scaled,
    chosen,
    filled,
    inner_product,
    scaled,
    subtracted,
)
from gdlab.transforms.norms.norms import tree_norm


@transformation(
    reads=("params", "step"),
    slots=("mu", "delta", "nu", "previous", "grad_sum", "estim_lr", "weighted_squares"),
    squares=True,
)
def dadapt_adan(
    learning_rate: Hyperparameter = 1.0,
    betas: tuple[Hyperparameter, Hyperparameter, Fraction] = (0.98, 0.92, 0.99),
    eps: NonNegative = 1e-8,
    estim_lr0: Positive = 1e-6,
    weight_decay: Hyperparameter = 0.02,
    *,
    growth_rate: OneOrMore | None = None,
) -> TreeFunctions:
    """Adan, Nesterov's momentum with adaptive scaling, that estimates its learning rate.

    γₜ = η·dₜ, eₜ = gₜ − gₜ₋₁ (e₁ = 0), mₜ = ema(β₁)(γₜ·gₜ), δₜ = ema(β₂)(γₜ·eₜ),
    aₜ = √ema(β₃)((gₜ + β₂·eₜ)²) + ε, sₜ₊₁ = ema(β₃)(γₜ·gₜ),
    qₜ₊₁ = ema(β₃)(γₜ²·Σ gₜ²/aₜ), dₜ₊₁ = max(dₜ, (Σ sₜ₊₁²/aₜ − qₜ₊₁·(1 − β₃))/((1 − β₃)·‖sₜ₊₁‖₁)),
    wₜ₊₁ = (wₜ − (mₜ + β₂·δₜ)/aₜ)/(1 + γₜ·λ)

    No average is corrected for its start at zero. Sums run over all parameters together.

    When to use:
        In place of Adan if its learning rate cannot be searched.

    Args:
        learning_rate: η, a factor of d: 1, or a schedule from 1 to 0.
        betas: decays of the averages of gradients, of their differences, and of squares.
        eps: ε, outside the root.
        estim_lr0: d₀, smaller than any distance expected.
        weight_decay: λ, decoupled and proximal: the new weights are divided by 1 + γ·λ.
        growth_rate: the largest factor by which d may grow in a step; any unless given.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import dadapt_adan, minimize
    >>> run = minimize(lambda w: (w - 3.0) ** 2, jnp.array(0.0), dadapt_adan(), steps=99)
    >>> run.state.estim_lr > 0.01
    Array(True, dtype=bool)

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023, the
    authors' code; X. Xie et al., Adan, 2022.
    """
    b1, b2, b3 = betas

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        squares = jax.tree.map(abs_squared, zeros)
        estim_lr = jnp.asarray(estim_lr0, common_dtype(jax.tree.leaves(params)))
        return zeros, zeros, squares, zeros, zeros, estim_lr, 0 * estim_lr

    def update(updates, state, *, params, step):
        mu, delta, nu, previous, s, d, weighted = state
        w = trained(params)
        g = filled(updates, w)
        difference = subtracted(g, chosen(jnp.asarray(step) == 0, g, previous))
        ahead = add_scaled(g, b2, difference)
        rate = d * learning_rate
        mu = averaged(b1, mu, scaled(rate, g))
        delta = averaged(b2, delta, scaled(rate, difference))
        nu = averaged(b3, nu, jax.tree.map(abs_squared, ahead))
        over = lambda x: jax.tree.map(  # noqa: E731
            lambda x, v: safe_divide(x, safe_sqrt(v) + eps), x, nu
        )
        s = averaged(b3, s, scaled(rate, g))
        weighted = b3 * weighted + (1 - b3) * rate**2 * inner_product(g, over(g))
        excess = inner_product(s, over(s)) / (1 - b3) - weighted
        d = grown(d, safe_divide(excess, tree_norm(s, 1)), growth_rate)
        # (w − u)/(1 + γλ) − w = −(u + γλ·w)/(1 + γλ)
        step_back = add_scaled(over(add_scaled(mu, b2, delta)), rate * weight_decay, w)
        updates = scaled(-1 / (1 + rate * weight_decay), step_back)
        return updates, (mu, delta, nu, g, s, d, weighted)

    return init, update

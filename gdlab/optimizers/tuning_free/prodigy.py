"""Prodigy: Adam that estimates its learning rate from the distance to the solution."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, OneOrMore, Positive
from gdlab.core.numerics import abs_squared, common_dtype, safe_divide, safe_sqrt, trained
from gdlab.core.transformation import transformation
from gdlab.optimizers.tuning_free.distance import averaged, correction, weights_at_start
from gdlab.transforms.norms.inner_products import (
    add_scaled,
    filled,
    inner_product,
    scaled,
    subtracted,
)
from gdlab.transforms.norms.norms import tree_norm


@transformation(
    reads="params",
    slots=(
        "mu",
        "nu",
        "grad_sum",
        "params0",
        "estim_lr",
        "largest_estimate",
        "numerator",
        "weights",
    ),
    squares=True,
)
def prodigy(
    learning_rate: Hyperparameter = 1.0,
    betas: tuple[Hyperparameter, Fraction] = (0.9, 0.999),
    beta3: Fraction | None = None,
    eps: NonNegative = 1e-8,
    estim_lr0: Positive = 1e-6,
    estim_lr_coef: Hyperparameter = 1.0,
    weight_decay: Hyperparameter = 0.0,
    safeguard_warmup: bool = False,
    *,
    growth_rate: OneOrMore | None = None,
    bias_correction: bool = False,
) -> TreeFunctions:
    """Adam whose learning rate is an estimate d of the distance to the solution.

    rₜ₊₁ = β₃·rₜ + η·dₜ²·⟨gₜ, w₀ − wₜ⟩, sₜ₊₁ = β₃·sₜ + η·dₜ²·gₜ,
    dₜ₊₁ = max(dₜ, estim_lr_coef·rₜ₊₁/‖sₜ₊₁‖₁), mₜ = ema(β₁)(dₜ·gₜ), vₜ = ema(β₂)(dₜ²·gₜ²),
    wₜ₊₁ = wₜ − η·dₜ·(mₜ/(√vₜ + dₜ₊₁·ε) + λ·wₜ)

    Scaling the loss changes nothing (ε → 0), and d is in the units of the parameters. Inner
    product and norm run over all parameters together.

    When to use:
        If there is no budget to search a learning rate: leave it at 1 with a schedule that decays
        to 0, such as a cosine. With a warm-up, set ``safeguard_warmup``; if d grows too far, lower
        ``estim_lr_coef``. A tuned AdamW is usually as good.

    Args:
        learning_rate: η, a factor of d: 1, or a schedule from 1 to 0.
        betas: decays of the averages of gradients and of squares.
        beta3: decay of r and s; the root of the second of ``betas`` unless given.
        eps: ε, in the units of the gradient.
        estim_lr0: d₀, smaller than any distance expected.
        estim_lr_coef: a factor on the estimates.
        weight_decay: λ, decoupled.
        safeguard_warmup: whether to leave η out of s, so that d does not grow because of a warm-up.
        growth_rate: the largest factor by which d may grow in a step; any unless given. The first
            estimate is not bounded by it.
        bias_correction: whether steps and estimates are multiplied by √(1 − β₂ᵗ)/(1 − β₁ᵗ).

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, prodigy
    >>> run = minimize(lambda w: (w - 3.0) ** 2, jnp.array(0.0), prodigy(), steps=60)
    >>> run.params.round(1), run.state.estim_lr > 1
    (Array(3., dtype=float32), Array(True, dtype=bool))

    Source: K. Mishchenko, A. Defazio, Prodigy: an expeditiously adaptive parameter-free learner,
    2023, algorithm 4.
    """
    b1, b2 = betas
    decay = b2**0.5 if beta3 is None else beta3

    def init(params):
        params0 = trained(params)
        zeros = jax.tree.map(jnp.zeros_like, params0)
        squares = jax.tree.map(abs_squared, zeros)
        estim_lr = jnp.asarray(estim_lr0, common_dtype(jax.tree.leaves(params)))
        weights = weights_at_start(bias_correction)
        return zeros, squares, zeros, params0, estim_lr, estim_lr, 0 * estim_lr, weights

    def update(updates, state, *, params):
        mu, nu, grad_sum, params0, d, largest, numerator, weights = state
        w = trained(params)
        g = filled(updates, w)
        weights, corrected = correction(weights, b1, b2)
        rate, gain = d * learning_rate * corrected, d / estim_lr0

        way = inner_product(g, subtracted(params0, w))
        numerator = decay * numerator + gain * rate * way
        weight = gain * (d if safeguard_warmup else rate)
        grad_sum = add_scaled(scaled(decay, grad_sum), weight, g)
        estimate = estim_lr_coef * safe_divide(numerator, tree_norm(grad_sum, 1))
        largest = jnp.maximum(largest, estimate)
        bound = largest
        if growth_rate is not None:
            bound = growth_rate * jnp.where(d == estim_lr0, jnp.maximum(d, estimate), d)
        after = jnp.minimum(largest, bound)

        dg = scaled(d, g)
        mu, nu = averaged(b1, mu, dg), averaged(b2, nu, jax.tree.map(abs_squared, dg))
        direction = jax.tree.map(lambda m, v: safe_divide(m, safe_sqrt(v) + after * eps), mu, nu)
        updates = scaled(-rate, add_scaled(direction, weight_decay, w))
        return updates, (mu, nu, grad_sum, params0, after, largest, numerator, weights)

    return init, update

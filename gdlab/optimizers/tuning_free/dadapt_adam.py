"""D-Adaptation of Adam."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, OneOrMore, Positive
from gdlab.core.numerics import abs_squared, common_dtype, safe_divide, safe_sqrt, trained
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.tuning_free.distance import averaged, correction, grown, weights_at_start
from gdlab.transforms.norms.inner_products import add_scaled, filled, inner_product, scaled
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.parameters.decay import add_decayed_weights


@transformation(
    reads="params", slots=("mu", "nu", "grad_sum", "estim_lr", "numerator", "weights"), squares=True
)
def dadapt_adamw(
    learning_rate: Hyperparameter = 1.0,
    betas: tuple[Hyperparameter, Fraction] = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    estim_lr0: Positive = 1e-6,
    weight_decay: Hyperparameter = 0.0,
    *,
    growth_rate: OneOrMore | None = None,
    bias_correction: bool = False,
) -> TreeFunctions:
    """AdamW that estimates its learning rate from the alignment of gradients.

    γₜ = η·dₜ, mₜ = ema(β₁)(γₜ·gₜ), vₜ = ema(β₂)(gₜ²), sₜ₊₁ = β·sₜ + (1 − β)·γₜ·gₜ with β = √β₂,
    rₜ₊₁ = β·rₜ + (1 − β)·γₜ·⟨gₜ, sₜ/(√vₜ₋₁ + ε)⟩, dₜ₊₁ = max(dₜ, rₜ₊₁/((1 − β)·‖sₜ₊₁‖₁)),
    wₜ₊₁ = wₜ − mₜ/(√vₜ + ε) − γₜ·λ·wₜ

    Scaling the loss changes nothing (ε → 0), and d is in the units of the parameters. Inner
    product and norm run over all parameters together.

    When to use:
        To train without a search, with a schedule that decays from 1 to 0. :func:`prodigy` finds
        its learning rate sooner and is usually better.

    Args:
        learning_rate: η, a factor of d: 1, or a schedule from 1 to 0.
        betas: decays of the averages of gradients and of squares.
        eps: ε, outside the root.
        estim_lr0: d₀, smaller than any distance expected.
        weight_decay: λ, decoupled.
        growth_rate: the largest factor by which d may grow in a step; any unless given.
        bias_correction: whether γ is multiplied by √(1 − β₂ᵗ)/(1 − β₁ᵗ).

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import dadapt_adamw, minimize
    >>> run = minimize(lambda w: (w - 3.0) ** 2, jnp.array(0.0), dadapt_adamw(), steps=99)
    >>> abs(run.params - 3) < 1
    Array(True, dtype=bool)

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023,
    algorithm 5.
    """
    b1, b2 = betas
    decay = b2**0.5

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        squares = jax.tree.map(abs_squared, zeros)
        estim_lr = jnp.asarray(estim_lr0, common_dtype(jax.tree.leaves(params)))
        return zeros, squares, zeros, estim_lr, 0 * estim_lr, weights_at_start(bias_correction)

    def update(updates, state, *, params):
        mu, nu, s, d, numerator, weights = state
        w = trained(params)
        g = filled(updates, w)
        weights, corrected = correction(weights, b1, b2)
        rate = d * learning_rate * corrected
        over = lambda x, v: jax.tree.map(  # noqa: E731
            lambda x, v: safe_divide(x, safe_sqrt(v) + eps), x, v
        )
        numerator = decay * numerator + (1 - decay) * rate * inner_product(g, over(s, nu))
        moved = scaled(rate, g)
        mu, nu = averaged(b1, mu, moved), averaged(b2, nu, jax.tree.map(abs_squared, g))
        s = averaged(decay, s, moved)
        d = grown(d, safe_divide(numerator, (1 - decay) * tree_norm(s, 1)), growth_rate)
        updates = add_scaled(scaled(-1.0, over(mu, nu)), -rate * weight_decay, w)
        return updates, (mu, nu, s, d, numerator, weights)

    return init, update


@transformation
def dadapt_adam(
    learning_rate: Hyperparameter = 1.0,
    betas: tuple[Hyperparameter, Fraction] = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    estim_lr0: Positive = 1e-6,
    weight_decay: Hyperparameter = 0.0,
    *,
    growth_rate: OneOrMore | None = None,
    bias_correction: bool = False,
) -> GradientTransformation:
    """Adam that estimates its learning rate, with weight decay added to the gradient.

    :func:`dadapt_adamw` applied to gₜ + λ·wₜ

    When to use:
        In place of :func:`dadapt_adamw` if L² regularisation is part of the problem.

    Args:
        learning_rate: η, a factor of d: 1, or a schedule from 1 to 0.
        betas: decays of the averages of gradients and of squares.
        eps: ε, outside the root.
        estim_lr0: d₀, smaller than any distance expected.
        weight_decay: λ, coupled.
        growth_rate: the largest factor by which d may grow in a step; any unless given.
        bias_correction: whether γ is multiplied by √(1 − β₂ᵗ)/(1 − β₁ᵗ).

    Raises:
        ValueError: if ``params`` are missing.

    >>> from gdlab import dadapt_adam, expand
    >>> expand(dadapt_adam(weight_decay=0.1))
    chain(add_decayed_weights(weight_decay=0.1), dadapt_adamw())

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023,
    algorithm 5.
    """
    adapted = dadapt_adamw(
        learning_rate,
        betas,
        eps,
        estim_lr0,
        growth_rate=growth_rate,
        bias_correction=bias_correction,
    )
    return chain(add_decayed_weights(weight_decay), adapted)

"""D-Adaptation of Lion."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, Positive
from gdlab.core.numerics import common_dtype, safe_divide, trained
from gdlab.core.transformation import transformation
from gdlab.optimizers.tuning_free.distance import averaged, grown
from gdlab.transforms.norms.inner_products import add_scaled, filled, inner_product, scaled
from gdlab.transforms.norms.norms import tree_norm


@transformation(reads="params", slots=("mu", "grad_sum", "estim_lr", "numerator"))
def dadapt_lion(
    learning_rate: Hyperparameter = 1.0,
    betas: tuple[Hyperparameter, Fraction] = (0.9, 0.99),
    estim_lr0: Positive = 1e-6,
    weight_decay: Hyperparameter = 0.0,
) -> TreeFunctions:
    """Lion that estimates its learning rate from the alignment of signs.

    γₜ = η·dₜ, uₜ = sign(β₁·mₜ₋₁ + (1 − β₁)·gₜ), mₜ = ema(β₂)(γₜ·gₜ), β = √β₂,
    rₜ₊₁ = β·rₜ + (1 − β)·γₜ·⟨uₜ, sₜ⟩, sₜ₊₁ = β·sₜ + (1 − β)·γₜ·uₜ,
    dₜ₊₁ = max(dₜ, rₜ₊₁/((1 − β)·‖sₜ₊₁‖₁)), wₜ₊₁ = wₜ − γₜ·(uₜ + λ·wₜ)

    As in the authors' code, the average weights gradients by γ, but the current gradient is added
    to it unweighted. So while γ is small, u is nearly the sign of the gradient.

    When to use:
        To try sign descent without a search of the learning rate. A tuned :func:`lion` is better.

    Args:
        learning_rate: η, a factor of d: 1, or a schedule from 1 to 0.
        betas: β₁, the weight of the average in the direction, and β₂, its decay.
        estim_lr0: d₀, smaller than any distance expected.
        weight_decay: λ, decoupled.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import dadapt_lion, minimize
    >>> run = minimize(lambda w: (w - 3.0) ** 2, jnp.array(0.0), dadapt_lion(), steps=60)
    >>> run.state.estim_lr > 0.01
    Array(True, dtype=bool)

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023, the
    authors' code; X. Chen et al., Symbolic discovery of optimization algorithms, 2023.
    """
    b1, b2 = betas
    decay = b2**0.5

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        estim_lr = jnp.asarray(estim_lr0, common_dtype(jax.tree.leaves(params)))
        return zeros, zeros, estim_lr, 0 * estim_lr

    def update(updates, state, *, params):
        mu, s, d, numerator = state
        w = trained(params)
        g = filled(updates, w)
        rate = d * learning_rate
        direction = jax.tree.map(jnp.sign, averaged(b1, mu, g))
        mu = averaged(b2, mu, scaled(rate, g))
        numerator = decay * numerator + (1 - decay) * rate * inner_product(direction, s)
        s = averaged(decay, s, scaled(rate, direction))
        d = grown(d, safe_divide(numerator, (1 - decay) * tree_norm(s, 1)), None)
        return scaled(-rate, add_scaled(direction, weight_decay, w)), (mu, s, d, numerator)

    return init, update

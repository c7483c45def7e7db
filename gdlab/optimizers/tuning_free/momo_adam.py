"""MoMo-Adam: Adam with step sizes from a model of the loss."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.numerics import abs_squared, safe_divide, safe_sqrt, trained
from gdlab.core.transformation import transformation
from gdlab.optimizers.tuning_free.distance import averaged
from gdlab.optimizers.tuning_free.loss_model import LossModel, shrunk
from gdlab.transforms.averages.debiasing import Weight
from gdlab.transforms.norms.inner_products import filled, inner_product, scaled


@transformation(
    reads=("params", "value"), slots=("mu", "nu", "loss_model", "weights"), squares=True
)
def momo_adam(
    learning_rate: Hyperparameter = 1e-2,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    lower_bound: Hyperparameter = 0.0,
    weight_decay: Hyperparameter = 0.0,
    adapt_lower_bound: bool = False,
) -> TreeFunctions:
    """AdamW with a step size from a model of the loss (MoMo-Adam).

    dₜ = ema(b1)(gₜ), f̄ₜ and γₜ likewise of the losses and of ⟨gₜ, wₜ⟩, Dₜ = √v̂ₜ + ε with
    v̂ₜ = debias(ema(b2))(gₜ²), bₜ = 1 − b1ᵗ;
    τₜ = min(η/bₜ, max((1 + ηλ)·(f̄ₜ − bₜ·f* − γₜ) + ⟨dₜ, wₜ⟩, 0)/⟨dₜ, dₜ/Dₜ⟩),
    wₜ₊₁ = (wₜ − τₜ·dₜ/Dₜ)/(1 + ηλ)

    Where the model allows the largest step size, and at λ = 0, it is :func:`adam`.

    When to use:
        In place of Adam if the minimum of the loss is roughly known but the learning rate is not: a
        wider range of learning rates works. ``update`` needs the ``value`` of the loss.

    Args:
        learning_rate: η, the largest step size.
        b1: decay of the averages of gradients and of losses.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        lower_bound: f*, below all losses.
        weight_decay: λ, decoupled and proximal.
        adapt_lower_bound: whether to increase the bound from ``lower_bound`` by an estimate.

    Raises:
        ValueError: if ``params`` or ``value`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, momo_adam
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), momo_adam(1.0), steps=200)
    >>> jnp.all(jnp.abs(run.params - 3.0) < 0.1)
    Array(True, dtype=bool)

    Source: F. Schaipp et al., MoMo: momentum models for adaptive learning rates, 2024, algorithm 4.
    """

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        squares = jax.tree.map(abs_squared, zeros)
        weights = Weight.at_start(), Weight.at_start()
        return zeros, squares, LossModel.at_start(params, lower_bound), weights

    def update(updates, state, *, params, value):
        mu, nu, model, weights = state
        w = trained(params)
        g = filled(updates, w)
        first, second = weights[0].after(b1), weights[1].after(b2)
        mu, nu = averaged(b1, mu, g), averaged(b2, nu, jax.tree.map(abs_squared, g))
        corrected = scaled(1 / second.value(), nu)
        direction = jax.tree.map(lambda m, v: safe_divide(m, safe_sqrt(v) + eps), mu, corrected)
        shrinkage = 1 + learning_rate * weight_decay
        tau, model = model.after(b1, value, inner_product(g, w)).step_size(
            first.value(),
            inner_product(mu, w),
            inner_product(mu, direction),
            learning_rate,
            shrinkage,
            lower_bound if adapt_lower_bound else None,
        )
        return shrunk(w, shrinkage, scaled(-tau, direction)), (mu, nu, model, (first, second))

    return init, update

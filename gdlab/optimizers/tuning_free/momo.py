"""MoMo: model-based momentum, with step sizes from a model of the loss."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import trained
from gdlab.core.transformation import transformation
from gdlab.optimizers.tuning_free.distance import averaged
from gdlab.optimizers.tuning_free.loss_model import LossModel, shrunk
from gdlab.transforms.norms.inner_products import filled, inner_product, scaled


@transformation(reads=("params", "value", "step"), slots=("mu", "loss_model"), squares=True)
def momo(
    learning_rate: Hyperparameter = 1.0,
    beta: Hyperparameter = 0.9,
    lower_bound: Hyperparameter = 0.0,
    weight_decay: Hyperparameter = 0.0,
    adapt_lower_bound: bool = False,
) -> TreeFunctions:
    """Momentum with a step size from a model of the loss (MoMo).

    dₜ = β·dₜ₋₁ + (1 − β)·gₜ, and likewise f̄ₜ of the losses and γₜ of ⟨gₜ, wₜ⟩, from their first
    values on; τₜ = min(η, max((1 + ηλ)·(f̄ₜ − f* − γₜ) + ⟨dₜ, wₜ⟩, 0)/‖dₜ‖²),
    wₜ₊₁ = (wₜ − τₜ·dₜ)/(1 + ηλ)

    The model is the average of the linearized losses, truncated at the lower bound f*. With β = 0
    and λ = 0 it is Polyak's step size with the upper bound η.

    When to use:
        If the minimum of the loss is roughly known, such as 0 for a network that can fit its data:
        then any large η works. ``update`` needs the ``value`` of the loss.

    Args:
        learning_rate: η, the largest step size.
        beta: β, in [0, 1).
        lower_bound: f*, below all losses.
        weight_decay: λ, decoupled and proximal.
        adapt_lower_bound: whether to increase the bound from ``lower_bound`` by an estimate.

    Raises:
        ValueError: if ``params`` or ``value`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, momo
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), momo(1e3), steps=200)
    >>> run.params.round(2)
    Array([3., 3.], dtype=float32)

    Source: F. Schaipp, R. Ohana, M. Eickenberg, A. Defazio, R. M. Gower, MoMo: momentum models for
    adaptive learning rates, 2024, algorithm 1 and section 3.3.
    """

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        return zeros, LossModel.at_start(params, lower_bound)

    def update(updates, state, *, params, value, step):
        mu, model = state
        w = trained(params)
        g = filled(updates, w)
        decay = jnp.where(jnp.asarray(step) == 0, 0.0, beta).astype(model.value.dtype)
        mu = averaged(decay, mu, g)
        model = model.after(decay, value, inner_product(g, w))
        shrinkage = 1 + learning_rate * weight_decay
        tau, model = model.step_size(
            1.0,
            inner_product(mu, w),
            inner_product(mu, mu),
            learning_rate,
            shrinkage,
            lower_bound if adapt_lower_bound else None,
        )
        return shrunk(w, shrinkage, scaled(-tau, mu)), (mu, model)

    return init, update

"""D-Adaptation of gradient descent: dual averaging that estimates its learning rate."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, OneOrMore, Positive
from gdlab.core.numerics import common_dtype, safe_divide, trained
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.tuning_free.distance import grown
from gdlab.transforms.norms.inner_products import add_scaled, filled, inner_product, scaled
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.parameters.from_start import from_start


@transformation(slots=("grad_sum", "estim_lr", "numerator", "first_norm"))
def scale_by_dadapt_sgd(
    learning_rate: Hyperparameter = 1.0,
    estim_lr0: Positive = 1e-6,
    *,
    growth_rate: OneOrMore | None = None,
) -> TreeFunctions:
    """The displacement of D-Adapted dual averaging from the initial parameters.

    sₜ₊₁ = sₜ + γₜ·gₜ with γₜ = η·dₜ/‖g₁‖, rₜ₊₁ = rₜ + γₜ·⟨gₜ, sₜ⟩,
    dₜ₊₁ = max(dₜ, 2·rₜ₊₁/‖sₜ₊₁‖); the output is −sₜ₊₁. Norms and products are over all parameters.

    Args:
        learning_rate: η, a factor of d.
        estim_lr0: d₀, smaller than any distance expected.
        growth_rate: the largest factor by which d may grow in a step; any unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_dadapt_sgd
    >>> tx = scale_by_dadapt_sgd(estim_lr0=0.5)
    >>> tx.update(jnp.array([8.0]), tx.init(jnp.zeros(1)))[0]
    Array([-0.5], dtype=float32)

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023,
    algorithm 4 and the authors' code.
    """

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        estim_lr = jnp.asarray(estim_lr0, common_dtype(jax.tree.leaves(params)))
        return zeros, estim_lr, 0 * estim_lr, 0 * estim_lr

    def update(updates, state):
        s, d, numerator, first_norm = state
        g = filled(updates, s)
        # g₁ is the first gradient that is not zero.
        first_norm = jnp.where(first_norm > 0, first_norm, tree_norm(g))
        rate = safe_divide(d * learning_rate, first_norm)
        numerator = numerator + rate * inner_product(g, s)
        s = add_scaled(s, rate, g)
        d = grown(d, safe_divide(2 * numerator, tree_norm(s)), growth_rate)
        return scaled(-1.0, s), (s, d, numerator, first_norm)

    return init, update


@transformation
def dadapt_sgd(
    learning_rate: Hyperparameter = 1.0,
    momentum: Hyperparameter = 0.0,
    estim_lr0: Positive = 1e-6,
    *,
    growth_rate: OneOrMore | None = None,
) -> GradientTransformation:
    """Gradient descent that estimates its learning rate, D-Adaptation of SGD.

    wₜ₊₁ = momentum·wₜ + (1 − momentum)·(w₀ − sₜ₊₁), s and d as in
    :func:`scale_by_dadapt_sgd`

    Scaling the loss changes nothing, and d is in the units of the parameters. At constant d
    and momentum 0 it is gradient descent with the learning rate η·d/‖g₁‖.

    When to use:
        To train with SGD without a search, with a schedule that decays from 1 to 0. d only grows:
        if it grows too far, lower ``learning_rate``. For weight decay, put
        :func:`add_decayed_weights` before it.

    Args:
        learning_rate: η, a factor of d: 1, or a schedule from 1 to 0.
        momentum: weight of the current parameters, in [0, 1).
        estim_lr0: d₀, smaller than any distance expected.
        growth_rate: the largest factor by which d may grow in a step; any unless given.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import dadapt_sgd, minimize
    >>> run = minimize(lambda w: jnp.abs(w - 3.0), jnp.array(0.0), dadapt_sgd(), steps=60)
    >>> run.state.estim_lr > 1
    Array(True, dtype=bool)

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023,
    algorithm 4 and the authors' code.
    """
    return chain(
        scale_by_dadapt_sgd(learning_rate, estim_lr0, growth_rate=growth_rate),
        from_start(momentum),
    )

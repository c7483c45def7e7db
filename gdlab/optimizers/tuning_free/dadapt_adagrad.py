"""D-Adaptation of Adagrad."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative, OneOrMore, Positive
from gdlab.core.numerics import abs_squared, common_dtype, safe_divide, safe_sqrt, trained
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.tuning_free.distance import grown
from gdlab.transforms.norms.inner_products import add_scaled, filled, inner_product, scaled
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.parameters.from_start import from_start


@transformation(slots=("grad_sum", "sum_of_squares", "estim_lr", "weighted_squares"), squares=True)
def scale_by_dadapt_adagrad(
    learning_rate: Hyperparameter = 1.0,
    eps: NonNegative = 1e-6,
    estim_lr0: Positive = 1e-6,
    *,
    initial_accumulator_value: NonNegative = 1e-6,
    growth_rate: OneOrMore | None = None,
) -> TreeFunctions:
    """The displacement of D-Adapted Adagrad from the initial parameters.

    sₜ₊₁ = sₜ + η·dₜ·gₜ, aₜ₊₁ = √(Σᵢ≤ₜ gᵢ²) + ε, qₜ₊₁ = qₜ + (η·dₜ)²·Σ gₜ²/aₜ₊₁,
    dₜ₊₁ = max(dₜ, (Σ sₜ₊₁²/aₜ₊₁ − qₜ₊₁)/‖sₜ₊₁‖₁), where sums run over all parameters; the output
    is −sₜ₊₁/aₜ₊₁.

    Args:
        learning_rate: η, a factor of d.
        eps: ε, outside the root.
        estim_lr0: d₀, smaller than any distance expected.
        initial_accumulator_value: the initial sum of squares.
        growth_rate: the largest factor by which d may grow in a step; any unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_dadapt_adagrad
    >>> tx = scale_by_dadapt_adagrad(estim_lr0=0.5)
    >>> tx.update(jnp.array([8.0]), tx.init(jnp.zeros(1)))[0]
    Array([-0.5], dtype=float32)

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023,
    algorithm 3 and the authors' code.
    """

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        squares = jax.tree.map(lambda x: abs_squared(x) + initial_accumulator_value, zeros)
        estim_lr = jnp.asarray(estim_lr0, common_dtype(jax.tree.leaves(params)))
        return zeros, squares, estim_lr, 0 * estim_lr

    def update(updates, state):
        s, squares, d, weighted = state
        g = filled(updates, s)
        squares = jax.tree.map(lambda a, g: a + abs_squared(g), squares, g)
        over = lambda x: jax.tree.map(  # noqa: E731
            lambda x, a: safe_divide(x, safe_sqrt(a) + eps), x, squares
        )
        s = add_scaled(s, d * learning_rate, g)
        weighted = weighted + (d * learning_rate) ** 2 * inner_product(g, over(g))
        estimate = safe_divide(inner_product(s, over(s)) - weighted, tree_norm(s, 1))
        return scaled(-1.0, over(s)), (s, squares, grown(d, estimate, growth_rate), weighted)

    return init, update


@transformation
def dadapt_adagrad(
    learning_rate: Hyperparameter = 1.0,
    momentum: Hyperparameter = 0.0,
    eps: NonNegative = 1e-6,
    estim_lr0: Positive = 1e-6,
    *,
    initial_accumulator_value: NonNegative = 1e-6,
    growth_rate: OneOrMore | None = None,
) -> GradientTransformation:
    """Adagrad with dual averaging that estimates its learning rate.

    wₜ₊₁ = momentum·wₜ + (1 − momentum)·(w₀ − sₜ₊₁/aₜ₊₁), s, a and d as in
    :func:`scale_by_dadapt_adagrad`

    When to use:
        For sparse features and convex problems, without a search. For deep networks, use
        :func:`dadapt_adamw` or :func:`prodigy`. For weight decay, put :func:`add_decayed_weights`
        before it.

    Args:
        learning_rate: η, a factor of d: 1, or a schedule from 1 to 0.
        momentum: weight of the current parameters, in [0, 1).
        eps: ε, outside the root.
        estim_lr0: d₀, smaller than any distance expected.
        initial_accumulator_value: the initial sum of squares.
        growth_rate: the largest factor by which d may grow in a step; any unless given.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import dadapt_adagrad, minimize
    >>> run = minimize(lambda w: jnp.abs(w - 3.0), jnp.array(0.0), dadapt_adagrad(), steps=60)
    >>> run.state.estim_lr > 0.001
    Array(True, dtype=bool)

    Source: A. Defazio, K. Mishchenko, Learning-rate-free learning by D-Adaptation, 2023,
    algorithm 3 and the authors' code.
    """
    return chain(
        scale_by_dadapt_adagrad(
            learning_rate,
            eps,
            estim_lr0,
            initial_accumulator_value=initial_accumulator_value,
            growth_rate=growth_rate,
        ),
        from_start(momentum),
    )

"""DoWG: distance over weighted gradients."""

import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import common_dtype, safe_divide, trained
from gdlab.core.structure import flatten
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.optimizers.tuning_free.distance import hypotenuse
from gdlab.optimizers.tuning_free.dog import decayed_and_averaged
from gdlab.transforms.norms.inner_products import filled, scaled, subtracted
from gdlab.transforms.norms.norms import tree_norm


@transformation(reads="params", slots=("params0", "estim_sq_dist", "weighted_norm"))
def scale_by_dowg(
    init_estim_sq_dist: Hyperparameter | None = None, eps: NonNegative = 1e-4
) -> TreeFunctions:
    """Multiply by the squared distance covered so far over the norm of the weighted gradients.

    uₜ = r̄ₜ²·gₜ/(√(r̄₁²·‖g₁‖² + … + r̄ₜ²·‖gₜ‖²) + ε), r̄ₜ = max(r̄ₜ₋₁, ‖wₜ − w₀‖); norms are over
    all parameters

    Args:
        init_estim_sq_dist: r̄₀²; ``eps`` unless given.
        eps: ε, outside the root.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_dowg
    >>> tx = scale_by_dowg(0.25, eps=0.0)
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.ones(2)), jnp.ones(2))[0]
    Array([0.3, 0.4], dtype=float32)

    Source: A. Khaled, K. Mishchenko, C. Jin, DoWG unleashed, 2023, algorithm 1.
    """

    def init(params):
        zero = jnp.zeros((), common_dtype(flatten(params)[0]))
        first = eps if init_estim_sq_dist is None else init_estim_sq_dist
        return trained(params), first + zero, zero

    def update(updates, state, *, params):
        params0, sq_dist, weighted_norm = state
        w = trained(params)
        g = filled(updates, w)
        sq_dist = jnp.maximum(sq_dist, tree_norm(subtracted(w, params0)) ** 2)
        weighted_norm = hypotenuse(weighted_norm, jnp.sqrt(sq_dist) * tree_norm(g))
        size = safe_divide(sq_dist, weighted_norm + eps)
        return scaled(size, g), (params0, sq_dist, weighted_norm)

    return init, update


@transformation
def dowg(
    learning_rate: Hyperparameter = 1.0,
    init_estim_sq_dist: Hyperparameter | None = None,
    eps: NonNegative = 1e-4,
    weight_decay: Hyperparameter | None = None,
    mask: Mask = None,
    *,
    averaging: NonNegative | None = None,
) -> GradientTransformation:
    """Gradient descent whose learning rate is distance over weighted gradients (DoWG).

    wₜ₊₁ = wₜ − η·r̄ₜ²·gₜ/(√(r̄₁²·‖g₁‖² + … + r̄ₜ²·‖gₜ‖²) + ε), r̄ₜ = max(r̄ₜ₋₁, ‖wₜ − w₀‖)

    Early gradients weigh less than in :func:`dog`, so steps are longer. The scale of the loss
    changes nothing (ε → 0), and rotating the parameters rotates the run.

    When to use:
        In place of full-batch gradient descent with a tuned learning rate: it adapts to both smooth
        and nonsmooth convex problems. For noisy gradients, use :func:`dog`.

    Args:
        learning_rate: η, a factor on the step size; 1 in the paper.
        init_estim_sq_dist: r̄₀²; ``eps`` unless given.
        eps: ε, outside the root.
        weight_decay: λ, coupled; none unless given.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        averaging: γ of :func:`polynomial_averaging`, for an average of the parameters to evaluate;
            no average unless given. The paper's guarantee is for the average weighted by r̄².

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import dowg, minimize
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), dowg(), steps=200)
    >>> run.params.round(2)
    Array([3., 3.], dtype=float32)

    Source: A. Khaled, K. Mishchenko, C. Jin, DoWG unleashed: an efficient universal parameter-free
    gradient descent method, 2023, algorithm 1.
    """
    scaling = scale_by_dowg(init_estim_sq_dist, eps)
    return decayed_and_averaged(scaling, learning_rate, weight_decay, mask, averaging)

"""LDoG: DoG for each array separately."""

import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter, NonNegative, Positive
from gdlab.core.numerics import cast, safe_divide, safe_sqrt, storage_dtype, widen
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.optimizers.tuning_free.distance import hypotenuse
from gdlab.optimizers.tuning_free.dog import decayed_and_averaged
from gdlab.transforms.norms.norms import norm


@leafwise(reads="param", init_reads="param", slots=("params0", "max_dist", "grad_norm"))
def scale_by_distance_over_gradients(
    reps_rel: Positive = 1e-6,
    eps: NonNegative = 1e-8,
    param_dtype: StorageDType | None = None,
    global_scale: Hyperparameter = 1.0,
) -> LeafFunctions:
    """Multiply each array by the distance it covered over the root of its squared gradients.

    uₜ = global_scale·r̄ₜ·gₜ/√(‖g₁‖² + … + ‖gₜ‖² + ε), r̄ₜ = max(r̄ₜ₋₁, ‖wₜ − w₀‖),
    r̄₀ = reps_rel·(1 + ‖w₀‖), for each array by itself

    Args:
        reps_rel: r̄₀, the first distance, relative to 1 + ‖w₀‖; the authors use 1e-4 for models
            with batch normalisation, otherwise 1e-6.
        eps: ε, inside the root, in the squared units of the gradient.
        param_dtype: dtype in which w₀ is stored; the parameter's, at least float32.
        global_scale: a factor on the result.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_distance_over_gradients
    >>> tx = scale_by_distance_over_gradients(reps_rel=0.5)
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)), jnp.zeros(2))[0]
    Array([0.3, 0.4], dtype=float32)

    Source: M. Ivgi, O. Hinder, Y. Carmon, DoG is SGD's best friend, 2023, section 4.1.
    """

    def init(_, param):
        length = norm(param)
        params0 = cast(param, storage_dtype(param, param_dtype))
        return params0, reps_rel * (1 + length), jnp.zeros_like(length)

    def update(u, state, *, param):
        params0, max_dist, grad_norm = state
        max_dist = jnp.maximum(max_dist, norm(param - widen(params0)))
        grad_norm = hypotenuse(grad_norm, norm(u))
        size = safe_divide(max_dist, hypotenuse(grad_norm, safe_sqrt(eps)))
        return global_scale * size * u, (params0, max_dist, grad_norm)

    return init, update


@transformation
def ldog(
    learning_rate: Hyperparameter = 1.0,
    reps_rel: Positive = 1e-6,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter | None = None,
    mask: Mask = None,
    *,
    averaging: NonNegative | None = None,
) -> GradientTransformation:
    """Gradient descent with distance over gradients for each array separately (layer-wise DoG).

    wₜ₊₁ = wₜ − η·r̄ₜ·gₜ/√(‖g₁‖² + … + ‖gₜ‖² + ε), r̄ₜ = max(r̄ₜ₋₁, ‖wₜ − w₀‖), array by array

    For a single array it is :func:`dog`. Scaling the gradients of an array by a constant changes
    nothing (ε → 0).

    When to use:
        In place of :func:`dog` if layers have different scales, as in transformers; it may diverge
        where DoG does not. Evaluate the average (``averaging=8.0``).

    Args:
        learning_rate: η, a factor on the step size; 1 in the paper.
        reps_rel: r̄₀, the first distance, relative to 1 + ‖w₀‖.
        eps: ε, inside the root, in the squared units of the gradient.
        weight_decay: λ, coupled; none unless given.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        averaging: γ of :func:`polynomial_averaging`, for an average of the parameters to evaluate;
            no average unless given.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import ldog, minimize
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), ldog(), steps=200)
    >>> run.params.round(2)
    Array([3., 3.], dtype=float32)

    Source: M. Ivgi, O. Hinder, Y. Carmon, DoG is SGD's best friend, 2023, section 4.1.
    """
    scaling = scale_by_distance_over_gradients(reps_rel, eps)
    return decayed_and_averaged(scaling, learning_rate, weight_decay, mask, averaging)

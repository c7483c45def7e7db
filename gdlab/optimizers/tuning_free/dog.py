"""DoG: the distance covered so far, over the root of the sum of squared gradients."""

from typing import Literal

import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter, NonNegative, Positive
from gdlab.core.numerics import common_dtype, safe_divide, safe_sqrt, trained
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function, flatten
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.tuning_free.distance import hypotenuse
from gdlab.transforms.norms.inner_products import filled, scaled, subtracted
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.parameters.parameter_average import params_ema
from gdlab.transforms.signals.scaling import scale_by_learning_rate

InitStep = Literal["heuristic", "distance", "learning_rate"]


@schedule
def polynomial_averaging(gamma: NonNegative = 8.0) -> Function:
    """The decay of an average whose weights grow as a power of the step.

    decay(t) = 1 − (γ + 1)/(t + γ), t = 1, 2, …, so that step k weighs about k^γ; γ = 0 gives the
    mean

    Pass it to :func:`params_ema`. It forgets the start, whatever the length of the run.

    >>> from gdlab import polynomial_averaging
    >>> [round(float(polynomial_averaging(1.0)(step)), 3) for step in range(4)]
    [0.0, 0.333, 0.5, 0.6]

    Source: O. Shamir, T. Zhang, Stochastic gradient descent for non-smooth optimization, 2013,
    section 4.
    """
    return lambda count: 1 - (gamma + 1) / (count.astype(float) + 1 + gamma)


@transformation(reads=("params", "step"), slots=("params0", "max_dist", "grad_norm"))
def scale_by_dog(
    init_step: InitStep = "heuristic",
    eps: NonNegative = 1e-8,
    *,
    init_value: Positive = 1e-6,
) -> TreeFunctions:
    """Multiply by the distance covered so far over the root of the sum of squared gradients.

    uₜ = r̄ₜ·gₜ/√(‖g₁‖² + … + ‖gₜ‖² + ε), r̄ₜ = max(r̄ₜ₋₁, ‖wₜ − w₀‖); norms are over all parameters

    Args:
        init_step: the meaning of ``init_value``: r̄₀ itself ("distance"), r̄₀/(1 + ‖w₀‖)
            ("heuristic"), or the size of the first step ("learning_rate").
        eps: ε, inside the root, in the squared units of the gradient.
        init_value: a number whose meaning ``init_step`` sets.

    Raises:
        ValueError: if ``params`` are missing, or ``init_step`` is not one of these three.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_dog
    >>> tx = scale_by_dog("distance", init_value=0.5)
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.ones(2)), jnp.ones(2))[0]
    Array([0.3, 0.4], dtype=float32)

    Source: M. Ivgi, O. Hinder, Y. Carmon, DoG is SGD's best friend, 2023, eq. 1.
    """

    def init(params):
        params0 = trained(params)
        zero = jnp.zeros((), common_dtype(flatten(params)[0]))
        first = init_value + zero
        if init_step == "heuristic":
            first = init_value * (1 + tree_norm(params0))
        return params0, zero if init_step == "learning_rate" else first, zero

    def update(updates, state, *, params, step):
        params0, max_dist, grad_norm = state
        w = trained(params)
        g = filled(updates, w)
        max_dist = jnp.maximum(max_dist, tree_norm(subtracted(w, params0)))
        grad_norm = hypotenuse(grad_norm, tree_norm(g))
        size = safe_divide(max_dist, hypotenuse(grad_norm, safe_sqrt(eps)))
        if init_step == "learning_rate":
            size = jnp.where(jnp.asarray(step) == 0, init_value, size)
        return scaled(size, g), (params0, max_dist, grad_norm)

    return init, update


@transformation
def dog(
    learning_rate: Hyperparameter = 1.0,
    init_step: InitStep = "heuristic",
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter | None = None,
    mask: Mask = None,
    *,
    init_value: Positive = 1e-6,
    averaging: NonNegative | None = None,
) -> GradientTransformation:
    """Gradient descent whose learning rate is distance over gradients (DoG).

    wₜ₊₁ = wₜ − η·r̄ₜ·gₜ/√(‖g₁‖² + … + ‖gₜ‖² + ε), r̄ₜ = max(r̄ₜ₋₁, ‖wₜ − w₀‖)

    Scaling the loss changes nothing (ε → 0), and a rotation of the parameters is one of the run. On
    a constant gradient the distance grows without bound: r̄ by the factor 1 + 1/√t per step.

    When to use:
        In place of SGD with a tuned learning rate, above all for fine-tuning. Evaluate the average
        (``averaging=8.0``), as the authors recommend. For momentum or adaptive methods, use
        :func:`prodigy`.

    Args:
        learning_rate: η, a factor on the step size; 1 in the paper.
        init_step: the meaning of ``init_value``: r̄₀ itself ("distance"), r̄₀/(1 + ‖w₀‖)
            ("heuristic"), or the size of the first step ("learning_rate").
        eps: ε, inside the root, in the squared units of the gradient.
        weight_decay: λ, coupled; none unless given.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        init_value: a number whose meaning ``init_step`` sets.
        averaging: γ of :func:`polynomial_averaging`, for an average of the parameters to evaluate;
            no average unless given.

    Raises:
        ValueError: if ``params`` are missing, or ``init_step`` is not one of these three.

    >>> import jax.numpy as jnp
    >>> from gdlab import dog, minimize
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), dog(), steps=200)
    >>> run.params.round(2)
    Array([3., 3.], dtype=float32)

    Source: M. Ivgi, O. Hinder, Y. Carmon, DoG is SGD's best friend: a parameter-free dynamic step
    size schedule, 2023, eq. 1 and section 4.1.
    """
    scaling = scale_by_dog(init_step, eps, init_value=init_value)
    return decayed_and_averaged(scaling, learning_rate, weight_decay, mask, averaging)


def decayed_and_averaged(
    scaling: GradientTransformation,
    learning_rate: Hyperparameter,
    weight_decay: Hyperparameter | None,
    mask: Mask,
    averaging: Hyperparameter | None,
) -> GradientTransformation:
    """A scaling with coupled decay before it, and the learning rate and an average after it."""
    before = [] if weight_decay is None else [add_decayed_weights(weight_decay, mask)]
    after = [] if averaging is None else [params_ema(polynomial_averaging(averaging))]
    return chain(*before, scaling, scale_by_learning_rate(learning_rate), *after)

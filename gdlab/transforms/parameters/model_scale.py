"""Steps in proportion to the size that weights are expected to have in the end."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import ModelTree
from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.numerics import abs_squared, safe_divide
from gdlab.core.structure import Tree
from gdlab.core.transformation import leafwise
from gdlab.transforms.averages.debiasing import Weight


@checked
def expected_scales(params: ModelTree) -> Tree:
    """The size that weights are expected to have in the end, from the shape of each array.

    √(2/inputs) for a matrix, √(1/inputs) for an array with more than two axes, and ½ for the
    others, where the inputs lie along the last axis but one

    >>> import jax.numpy as jnp
    >>> from gdlab import expected_scales
    >>> expected_scales({"kernel": jnp.zeros((8, 3)), "bias": jnp.zeros(3)})
    {'bias': 0.5, 'kernel': 0.5}
    """

    def scale(leaf):
        if np.ndim(leaf) < 2:
            return 0.5
        return math.sqrt((2 if np.ndim(leaf) == 2 else 1) / max(np.shape(leaf)[-2], 1))

    return jax.tree.map(scale, params)


@leafwise(reads="param", slots=("nu", "decay"), shared="weight", squares=True)
def descend_by_amos(
    learning_rate: Hyperparameter,
    eta: Hyperparameter,
    beta: Fraction = 0.999,
    c_coef: Hyperparameter = 0.25,
    d_coef: Hyperparameter = 0.25,
    eps: NonNegative = 1e-18,
) -> LeafFunctions:
    """The step of Amos, computed for each array separately.

    vₜ = β·vₜ₋₁ + (1 − β)·mean(gₜ²), γₜ = ξ²·mean(gₜ²)/v̂ₜ/√(1 + c·√ξ·bₜ₋₁),
    uₜ = −(ξη·gₜ/√v̂ₜ + ½γₜ·wₜ)/(1 + d·√(ξη)·bₜ₋₁), bₜ = bₜ₋₁ + γₜ·(1 + bₜ₋₁)

    Args:
        learning_rate: ξ, the relative change of weights in the first step.
        eta: η, the size that weights are expected to have in the end, for each leaf.
        beta: β, the decay of the average of squares.
        c_coef: c, which sets how fast the weight decay falls.
        d_coef: d, which sets how fast the learning rate falls.
        eps: ε, added to the mean square.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import descend_by_amos
    >>> tx, params = descend_by_amos(0.1, 0.5), jnp.zeros(2)
    >>> tx.update(jnp.array([1.0, -1.0]), tx.init(params), params)[0].round(4)
    Array([-0.05,  0.05], dtype=float32)

    Source: R. Tian, A. P. Parikh, Amos: an Adam-style optimizer with adaptive weight decay towards
    model-oriented scale, 2022, algorithm 1.
    """

    def init(like):
        zero = jnp.zeros((), like.real.dtype)
        return zero, zero

    def update(u, state, param, weight):
        nu, decay = state
        # The mean of an empty array would be NaN.
        mean_square = jnp.sum(abs_squared(u)) / max(u.size, 1)
        nu = beta * nu + (1 - beta) * mean_square
        inverse = safe_divide(weight.value(), nu + eps)
        size = learning_rate * eta
        shrinking = learning_rate**2 * inverse * mean_square
        shrinking = shrinking / jnp.sqrt(1 + c_coef * jnp.sqrt(learning_rate) * decay)
        slowing = 1 + d_coef * jnp.sqrt(size) * decay
        step = (size * jnp.sqrt(inverse) * u + shrinking / 2 * param) / slowing
        return -step, (nu, decay + shrinking * (1 + decay))

    return init, update, Shared(Weight.at_start, lambda weight: weight.after(beta))

"""FTRL-proximal: follow the regularised leader, which sets many weights exactly to zero."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import abs_squared, safe_divide
from gdlab.core.transformation import leafwise


@leafwise(reads="param", slots=("nu", "linear"), nonnegative=("nu",), squares=True)
def ftrl(
    learning_rate: Hyperparameter,
    learning_rate_power: Hyperparameter = -0.5,
    initial_accumulator_value: NonNegative = 0.1,
    l1_regularization_strength: NonNegative = 0.0,
    l2_regularization_strength: NonNegative = 0.0,
    l2_shrinkage_regularization_strength: NonNegative = 0.0,
    beta: Hyperparameter = 0.0,
) -> LeafFunctions:
    """FTRL-proximal: Adagrad that keeps most weights at zero.

    nₜ = nₜ₋₁ + gₜ², σₜ = (nₜ^−p − nₜ₋₁^−p)/η, zₜ = zₜ₋₁ + gₜ + 2·l2_shrinkage·wₜ − σₜ·wₜ,
    wₜ₊₁ = −(zₜ − clip(zₜ, ±l1))/((β + nₜ^−p)/η + 2·l2)

    The weights depend only on n and z: they minimise the sum of all linearised losses, of the
    weighted squared distances to all weights so far, and of l1·|w| + l2·w². Without regularisation,
    with a constant learning rate and from zero weights, it is Adagrad. The first step discards the
    initial weights, even where gradients are zero: start from zero.

    When to use:
        Sparse linear models with very many features, such as click prediction, where the l1 term
        leaves few nonzero weights. It is not meant for networks.

    Args:
        learning_rate: η; at 0, nothing moves and gradients are ignored.
        learning_rate_power: p, the negative power of the sum of squares.
        initial_accumulator_value: n₀; 0 in the paper, with β = 1.
        l1_regularization_strength: l1; weights with |z| below it are zero.
        l2_regularization_strength: l2.
        l2_shrinkage_regularization_strength: l2_shrinkage, an L² term that is added to the gradient
            in z, but not in n.
        beta: β, added to the power of the sum of squares.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import ftrl
    >>> tx = ftrl(1.0, initial_accumulator_value=0.0, l1_regularization_strength=1.0)
    >>> params = jnp.zeros(2)
    >>> tx.update(jnp.array([4.0, 0.5]), tx.init(params), params)[0]
    Array([-0.75,  0.  ], dtype=float32)

    Source: H. B. McMahan et al., Ad click prediction: a view from the trenches, 2013, algorithm 1.
    """
    l1, l2 = l1_regularization_strength, l2_regularization_strength
    moves = learning_rate > 0
    rate = jnp.where(moves, learning_rate, 1)

    def power(n):
        # A NaN must not count as zero.
        vanishes = n <= 0
        return jnp.where(vanishes, 0, jnp.where(vanishes, 1, n) ** -learning_rate_power)

    def init(like):
        return jnp.full_like(like, initial_accumulator_value).real, jnp.zeros_like(like)

    def update(u, state, param):
        n, z = state
        after = n + abs_squared(u)
        pull = (power(after) - power(n)) / rate
        linear = z + u + 2 * l2_shrinkage_regularization_strength * param - pull * param
        size = jnp.abs(linear)
        beyond = jnp.sign(linear) * jnp.where(size <= l1, 0, size - l1)
        scale = (beta + power(after)) / rate + 2 * l2
        step = -safe_divide(beyond, scale) - param
        return jnp.where(moves, step, 0), (jnp.where(moves, after, n), jnp.where(moves, linear, z))

    return init, update

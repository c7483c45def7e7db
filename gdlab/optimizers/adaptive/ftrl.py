"""FTRL-proximal: follow the regularised leader, to weights that are exactly zero."""

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

    The weights are a function of the sums alone: they minimise the sum of all linearised losses,
    of the distances to all weights so far, and of l1·|w| + l2·w². With no regularisation and a
    constant learning rate, from weights zero, it is Adagrad. The initial weights are forgotten in
    the first step, also where gradients are zero: start from zero.

    When to use:
        Sparse linear models of very many features, such as the prediction of clicks, where the l1
        term leaves few weights that are not zero. It is no method for networks.

    Args:
        learning_rate: η; while it is 0 nothing moves, and no gradient counts.
        learning_rate_power: p, the negative power of the sum of squares.
        initial_accumulator_value: n₀; the paper has 0 and β = 1.
        l1_regularization_strength: l1: weights whose |z| is below it are zero.
        l2_regularization_strength: l2.
        l2_shrinkage_regularization_strength: a second l2, added to the gradients of the linear
            term alone.
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
        # A NaN is no zero.
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

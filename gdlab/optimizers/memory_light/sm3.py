"""SM3: Adagrad whose state has one number per row and column."""

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.covers import scale_by_sm3
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def sm3(learning_rate: Hyperparameter, momentum: Hyperparameter = 0.9) -> GradientTransformation:
    """SM3: Adagrad with upper bounds on its sums of squares, one per row and column.

    νₜ(i, j) = min(maxⱼ νₜ₋₁(i, j), maxᵢ νₜ₋₁(i, j)) + gₜ(i, j)²,
    mₜ = β·mₜ₋₁ + (1 − β)·gₜ/√(νₜ + 10⁻⁸), wₜ₊₁ = wₜ − η·mₜ

    Its steps are no longer than Adagrad's, and its regret bound is that of Adagrad up to how well
    rows and columns cover the squares; on vectors it is Adagrad. Scaling the loss changes nothing
    (up to the 10⁻⁸).

    When to use:
        Embeddings and other matrices with gradients of similar size along rows or columns, if
        :func:`adagrad` works but its sums do not fit into memory.

    Args:
        learning_rate: η.
        momentum: β, the decay of the average of steps.

    >>> import jax.numpy as jnp
    >>> from gdlab import sm3
    >>> tx = sm3(0.1, momentum=0.0)
    >>> tx.update(jnp.array([3.0, -4.0]), tx.init(jnp.zeros(2)))[0]
    Array([-0.1,  0.1], dtype=float32)

    Source: R. Anil, V. Gupta, T. Koren, Y. Singer, Memory-efficient adaptive optimization, 2019,
    algorithm SM3-II.
    """
    return chain(expand(scale_by_sm3(momentum)), scale_by_learning_rate(learning_rate))

"""Sparse Adam: Adam for embeddings, where few rows have a gradient at each step."""

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.transforms.averages.touched_rows import where_touched
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def sparse_adam(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
) -> GradientTransformation:
    """Sparse Adam: Adam whose moments are updated only in the rows that have a gradient.

    Adam in the rows of gₜ that are not all zero; elsewhere wₜ₊₁ = wₜ, mₜ = mₜ₋₁, vₜ = vₜ₋₁

    The bias correction counts all steps, so a row whose first gradient comes late takes short steps
    at first. If every row has a gradient at each step, it is Adam.

    When to use:
        Embeddings of large vocabularies. Adam keeps moving the rows of absent words by old
        momentum, and forgets the squares of rare words between their appearances; sparse Adam does
        neither. It saves no time, since gradients are dense arrays here.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction; torch adds it before the correction.

    >>> import jax.numpy as jnp
    >>> from gdlab import sparse_adam
    >>> tx = sparse_adam(0.1)
    >>> _, state = tx.update(jnp.array([[1.0], [1.0]]), tx.init(jnp.zeros((2, 1))))
    >>> tx.update(jnp.array([[1.0], [0.0]]), state)[0].round(4)
    Array([[-0.1],
           [-0. ]], dtype=float32)

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 1, lazy
    as ``torch.optim.SparseAdam``.
    """
    direction = where_touched(scale_by_adam(b1, b2, eps))
    return chain(direction, scale_by_learning_rate(learning_rate))

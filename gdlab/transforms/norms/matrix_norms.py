"""Norms and means of each matrix of an array by itself."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.joins import join
from gdlab.core.numerics import safe_divide
from gdlab.core.structure import Function
from gdlab.core.transformation import leafwise
from gdlab.transforms.matrices.matrix_axes import MatrixAxes, matrix_view
from gdlab.transforms.norms.norms import norm, rms


def axes_of_matrix(letters: str | None, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes of a matrix, or None (all axes) for an array without matrices."""
    view = matrix_view(letters, shape)
    return None if view is None else view.axes


@leafwise
def matrix_norm(weight_dimension_numbers: MatrixAxes = None) -> LeafFunctions:
    """Reduce each matrix to its Frobenius norm, and any other array to its Euclidean norm.

    uₜ = ‖gₜ‖, with axes of length one

    Args:
        weight_dimension_numbers: which axes are the matrix, as for :func:`orthogonalize`.

    >>> import jax.numpy as jnp
    >>> from gdlab import fork, identity, matrix_norm
    >>> tx = fork(jnp.divide, identity(), matrix_norm())
    >>> tx.update(jnp.array([[3.0, 4.0]]), tx.init(jnp.zeros((1, 2))))[0]
    Array([[0.6, 0.8]], dtype=float32)
    """
    return lambda u: norm(u, axis=axes_of_matrix(weight_dimension_numbers, u.shape), keepdims=True)


@leafwise
def mean_over_inputs(weight_dimension_numbers: MatrixAxes = None) -> LeafFunctions:
    """Average each matrix over its inputs: one number for each output, or neuron.

    Args:
        weight_dimension_numbers: which axes are the matrix, as for :func:`orthogonalize`. An array
            without a matrix passes unchanged.

    >>> import jax.numpy as jnp
    >>> from gdlab import fork, identity, mean_over_inputs
    >>> tx = fork(jnp.subtract, identity(), mean_over_inputs())
    >>> tx.update(jnp.array([[1.0, 5.0], [3.0, 5.0]]), tx.init(jnp.zeros((2, 2))))[0]
    Array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    """

    def update(u):
        view = matrix_view(weight_dimension_numbers, u.shape)
        return u if view is None or u.size == 0 else jnp.mean(u, view.inputs, keepdims=True)

    return update


@leafwise
def scale_to_rms(size: NonNegative, weight_dimension_numbers: MatrixAxes = None) -> LeafFunctions:
    """Scale each matrix, or other array, to a given root mean square.

    uₜ = size·gₜ/rms(gₜ), and 0 where gₜ is 0

    Args:
        size: the root mean square; Adam's updates have about 0.2.
        weight_dimension_numbers: which axes are the matrix, as for :func:`orthogonalize`.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_to_rms
    >>> tx = scale_to_rms(0.2)
    >>> tx.update(jnp.array([[3.0, -3.0]]), tx.init(jnp.zeros((1, 2))))[0]
    Array([[ 0.2, -0.2]], dtype=float32)

    Source: J. Liu et al., Muon is scalable for LLM training, 2025, section 2.2.
    """

    def update(u):
        axes = axes_of_matrix(weight_dimension_numbers, u.shape)
        return size * safe_divide(u, rms(u, axes, keepdims=True))

    return update


@join
def grafted_matrices(weight_dimension_numbers: MatrixAxes = None) -> Function:
    """Join two steps: each matrix has the Frobenius norm of the first, the direction of the second.

    u = ‖a‖·b/‖b‖, and 0 where b is 0: :func:`grafted`, for each matrix of an array by itself.

    Args:
        weight_dimension_numbers: which axes are the matrix, as for :func:`orthogonalize`.

    >>> import jax.numpy as jnp
    >>> from gdlab import fork, grafted_matrices, identity, square
    >>> tx = fork(grafted_matrices(), identity(), square())
    >>> tx.update(jnp.array([[3.0, 0.0]]), tx.init(jnp.zeros((1, 2))))[0]
    Array([[3., 0.]], dtype=float32)
    """

    def graft(a, b):
        axes = axes_of_matrix(weight_dimension_numbers, a.shape)
        return norm(a, axis=axes, keepdims=True) * safe_divide(b, norm(b, axis=axes, keepdims=True))

    return graft

"""Steps along a sphere: the norm of the weights is kept fixed, or its change is damped."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import leafwise
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.norms.matrix_norms import axes_of_matrix
from gdlab.transforms.norms.norms import norm


def _length(x: jax.Array, letters: str | None) -> jax.Array:
    return norm(x, axis=axes_of_matrix(letters, x.shape), keepdims=True)


@leafwise(reads="param", slots=("radius",), init_reads="param")
def descend_on_sphere(
    learning_rate: Hyperparameter, weight_dimension_numbers: MatrixAxes = None
) -> LeafFunctions:
    """Descend by a given angle on the sphere on which the weights of each matrix begin.

    wₜ₊₁ = R·ŵ, ŵ = w̃/‖w̃‖, w̃ = wₜ − η·R·gₜ/‖gₜ‖, R = ‖w₀‖

    Put it at the end of a chain in place of the learning rate. The norm of the weights stays the
    same, so no decay is needed, and the relative change of a step is at most about η. Scaling the
    gradient changes nothing, and scaling the weights scales the step.

    Args:
        learning_rate: η, the tangent of the angle by which the weights turn if gₜ is orthogonal to
            wₜ; usually 0.01 to 0.1.
        weight_dimension_numbers: which axes are a matrix, as for :func:`orthogonalize`. Any other
            array has one norm. An array that starts at zero stays there.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, descend_on_sphere
    >>> tx, w = descend_on_sphere(1.0), jnp.array([0.0, 5.0])
    >>> updates, _ = tx.update(jnp.array([-0.3, 0.0]), tx.init(w), w)
    >>> apply_updates(w, updates).round(3)
    Array([3.536, 3.536], dtype=float32)

    Source: K. Wen, X. Dang, K. Lyu, T. Ma, P. Liang, Fantastic pretraining optimizers and where to
    find them 2.1: hyperball optimization, 2026 (arXiv:2606.16899).
    """

    def init(_, param):
        return (_length(param, weight_dimension_numbers),)

    def update(u, state, param):
        (radius,) = state
        size = _length(u, weight_dimension_numbers)
        ahead = param - learning_rate * radius * safe_divide(u, size)
        onto = radius * safe_divide(ahead, _length(ahead, weight_dimension_numbers))
        # Without a gradient there is no step, not even one caused by rounding.
        return jnp.where(size == 0, 0, onto - param), state

    return init, update


@leafwise(reads="param")
def radial_brake(
    outward: Hyperparameter = 0.5,
    inward: Hyperparameter = 1.0,
    weight_dimension_numbers: MatrixAxes = None,
) -> LeafFunctions:
    """Damp how much a step changes the norm of the weights of each matrix.

    wₜ₊₁ = (‖w‖ + s·(‖w̃‖ − ‖w‖))·w̃/‖w̃‖, w̃ = wₜ + gₜ, with s = outward where ‖w̃‖ > ‖w‖ and
    s = inward elsewhere

    Put it last in a chain, after the learning rate, in place of weight decay. With both factors at
    1 it changes nothing; with both at 0 the norm stays fixed.

    Args:
        outward: the factor on an increase of the norm.
        inward: the factor on a decrease of the norm.
        weight_dimension_numbers: which axes are a matrix, as for :func:`orthogonalize`. Any other
            array has one norm.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import radial_brake
    >>> tx, w = radial_brake(0.5), jnp.array([3.0, 4.0])
    >>> tx.update(w, tx.init(w), w)[0]
    Array([1.5, 2. ], dtype=float32)

    Source: the 2990-step record of modded-nanogpt, track 3, 2026.
    """

    def update(u, param):
        ahead = param + u
        before, after = (_length(w, weight_dimension_numbers) for w in (param, ahead))
        left = jnp.where(after > before, outward, inward)
        # u + (factor − 1)·(w + u): exactly u where nothing is damped.
        excess = (1 - left) * safe_divide(before - after, after)
        return u + excess * ahead

    return update

"""Hyperball: steps along any direction, on the sphere of the initial weights."""

from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.matrix.beside_adamw import beside_adamw
from gdlab.transforms.matrices.matrix_axes import MatrixAxes
from gdlab.transforms.norms.spheres import descend_on_sphere


@transformation
def hyperball(
    direction: GradientTransformation,
    learning_rate: Hyperparameter,
    *,
    adam_b1: Hyperparameter = 0.9,
    adam_b2: Fraction = 0.999,
    adam_eps: NonNegative = 1e-8,
    adam_weight_decay: Hyperparameter = 0.0,
    adam_learning_rate: Hyperparameter | None = None,
    weight_dimension_numbers: MatrixAxes = None,
) -> GradientTransformation:
    """Hyperball: steps of a given angle with the norm of each matrix fixed, and AdamW for the rest.

    wₜ₊₁ = R·ŵ, ŵ = w̃/‖w̃‖, w̃ = wₜ − η·R·dₜ/‖dₜ‖, R = ‖w₀‖, with dₜ the direction

    ``hyperball(scale_by_adam(), 0.01)`` is AdamH, ``hyperball(scale_by_muon(), 0.01)`` MuonH.
    Weight decay keeps the norm of weights, and so the relative size of a step, near an equilibrium;
    this fixes it from the start, without a decay to tune. Scaling the weights scales the path, so a
    network that does not depend on their scale, as before a normalisation, trains the same at each.

    When to use:
        For the matrices of networks with normalisation layers, in place of a tuned weight decay.
        Learning rates carry over between widths and depths better than with decay. Not for
        matrices that start at zero, which would stay there.

    Args:
        direction: the transformation to a direction of ascent, without learning rate and decay.
        learning_rate: η, about the relative change of a matrix in a step.
        adam_b1: decay of AdamW's average of gradients.
        adam_b2: decay of AdamW's average of squares.
        adam_eps: ε of AdamW.
        adam_weight_decay: λ of other parameters.
        adam_learning_rate: η of other parameters; that of the matrices unless given.
        weight_dimension_numbers: which parameters are matrices, and their axes, as for
            :func:`orthogonalize`; those with two axes unless given.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import hyperball, minimize, scale_by_adam
    >>> tx = hyperball(scale_by_adam(), 0.1)
    >>> path = minimize(lambda w: jnp.sum((w - 2) ** 2), jnp.eye(2), tx, steps=20).path
    >>> jnp.linalg.norm(path, axis=(1, 2))[::10].round(4)
    Array([1.4142, 1.4142, 1.4142], dtype=float32)

    Source: K. Wen, X. Dang, K. Lyu, T. Ma, P. Liang, Fantastic pretraining optimizers and where to
    find them 2.1: hyperball optimization, 2026 (arXiv:2606.16899).
    """
    return beside_adamw(
        "hyperball",
        chain(direction, descend_on_sphere(learning_rate, weight_dimension_numbers)),
        weight_dimension_numbers,
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        adam_b1,
        adam_b2,
        adam_eps,
        weight_decay=adam_weight_decay,
    )

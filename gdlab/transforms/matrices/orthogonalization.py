"""Orthogonalized updates, and their scaling by the shape of the matrix."""

import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.numerics import cast, storage_dtype
from gdlab.core.transformation import leafwise
from gdlab.transforms.matrices.matrix_axes import MatrixAxes, matrix_view
from gdlab.transforms.matrices.newton_schulz import (
    STANDARD,
    Iteration,
    IterationCount,
    Polynomials,
    Preconditioning,
    of_each_step,
    polar_factor,
)


@leafwise
def orthogonalize(
    ns_coeffs: Polynomials = STANDARD,
    ns_steps: IterationCount = 5,
    eps: NonNegative = 1e-8,
    *,
    weight_dimension_numbers: MatrixAxes = None,
    preconditioning: Preconditioning = "frobenius",
    adaptive: bool = False,
    iteration: Iteration = "auto",
    dtype: StorageDType | None = None,
) -> LeafFunctions:
    """Orthogonalize each matrix: bring its singular values near one; other arrays pass unchanged.

    uₜ = U·p(…p(σ/(‖σ‖ + eps)))·Vᵀ for gₜ = U·σ·Vᵀ, with odd polynomials p(σ) = aσ + bσ³ + cσ⁵

    The result is approximately U·Vᵀ, the direction of steepest descent under the spectral norm. It
    does not depend on the scale of the gradient (ε → 0), and it commutes with rotations from both
    sides. In five steps the standard polynomial lifts singular values above 1/200 of the norm into
    [0.68, 1.21]; those of "polar_express" converge to 1. After :func:`scale_by_adam`, with three
    steps, it is the direction of Muon² (Liu et al. 2026), whose input has more equal singular
    values.

    Args:
        ns_coeffs: a, b, c, or these three for each step, of which the last are repeated; or one of
            the names "standard", "dion" and "polar_express".
        ns_steps: the number of steps.
        eps: ε, which bounds the scaling of small gradients.
        weight_dimension_numbers: which axes are the matrix: a letter for each axis of a leaf, "i"
            for inputs, "o" for outputs and "b" for a batch of matrices, or None for no matrix. Give
            the letters in a tree, or in a list of pairs ``(pattern, letters)``:
            ``[("conv", "iiio"), ("query", "ibo"), ("embedding", None)]``. By default arrays with
            two axes are matrices.
        preconditioning: the scaling of a matrix before the first step: by its "frobenius" norm, its
            "spectral" norm, "aol" (each row by its products with all rows, which saves about one
            step), or its "schatten" norm of order 4.
        adaptive: whether the result is multiplied by its inner product with the gradient, an
            estimate of the gradient's nuclear norm, so that the step shrinks with the gradient.
        iteration: "standard" iterates on the matrix; "gram" on its Gram matrix, which costs 33 %
            less at a side ratio of 4 and 20 % more for a square; "auto" takes the cheaper one,
            which is "gram" from a side ratio of 1.5 on.
        dtype: the dtype of the products, such as "bfloat16"; by default at least float32.

    Raises:
        ValueError: if the letters do not fit a leaf, or a name is unknown.

    >>> import jax.numpy as jnp
    >>> from gdlab import orthogonalize
    >>> tx = orthogonalize("polar_express", ns_steps=8)
    >>> tx.update(jnp.diag(jnp.array([-3.0, 0.1])), tx.init(jnp.zeros((2, 2))))[0].round(3)
    Array([[-1.,  0.],
           [ 0.,  1.]], dtype=float32)

    Source: K. Jordan, Muon: an optimizer for hidden layers in neural networks, 2024; N. Amsel et
    al., The Polar Express, 2025; T. Boissin et al., Turbo-Muon, 2025 ("aol"); J. Bernstein, L.
    Newhouse, Old optimizer, new norm: an anthology, 2024, proposition 5 (adaptive).
    """
    polynomials = of_each_step(ns_coeffs, ns_steps)

    def update(u):
        view = matrix_view(weight_dimension_numbers, u.shape)
        if view is None:
            return u
        x = view.matrices(u)
        x = cast(x, storage_dtype(x, dtype))
        factor = polar_factor(x, polynomials, eps, preconditioning, iteration)
        result = view.restored(factor.astype(u.dtype), u)
        if not adaptive:
            return result
        return jnp.sum(jnp.conj(u) * result, view.axes, keepdims=True) * result

    return update


@leafwise
def scale_by_shape(
    weight_dimension_numbers: MatrixAxes = None,
    consistent_rms: NonNegative | None = None,
    *,
    at_least: Hyperparameter = 1.0,
) -> LeafFunctions:
    """Scale each orthogonal matrix by its shape, so that one learning rate suits all matrices.

    uₜ = √max(at_least, out/in)·gₜ, or consistent_rms·√max(in, out)·gₜ if ``consistent_rms`` is
    given

    With the first form, a step of η changes the outputs of a layer by about η in root mean square,
    independently of its width. With the second, the root mean square of a step is η·consistent_rms;
    for Adam it is about 0.2 η to 0.4 η.

    Args:
        weight_dimension_numbers: as for :func:`orthogonalize`. By default the axes are (in, out),
            as in JAX; the kernels of torch are "oi".
        consistent_rms: 0.2 for learning rates and decays that were found for AdamW.
        at_least: a lower bound of the ratio out/in: 1 for Muon, 0 for Dion and Scion.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_shape
    >>> tx = scale_by_shape()
    >>> tx.update(jnp.ones((1, 4)), tx.init(jnp.ones((1, 4))))[0]
    Array([[2., 2., 2., 2.]], dtype=float32)

    Source: K. Jordan, Muon: an optimizer for hidden layers in neural networks, 2024; J. Liu et al.,
    Muon is scalable for LLM training, 2025, eq. 4.
    """

    def update(u):
        view = matrix_view(weight_dimension_numbers, u.shape)
        if view is None or u.size == 0:
            return u
        if consistent_rms is None:
            return jnp.sqrt(jnp.maximum(view.fan_out / view.fan_in, at_least)) * u
        return consistent_rms * max(view.fan_in, view.fan_out) ** 0.5 * u

    return update

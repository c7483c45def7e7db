"""Scaling by inverse roots of a matrix for each axis: the preconditioner of Shampoo."""

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.by_leaf import Structure
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import abs_squared
from gdlab.core.rarely import rarely
from gdlab.core.structure import Number
from gdlab.core.transformation import leafwise
from gdlab.transforms.axis_products import along, block_shape, cut, gram, joined
from gdlab.transforms.debiasing import Weight
from gdlab.transforms.periods import is_due

Statistics = Literal["gram", "kl"]
"""What the factor of an axis averages; :func:`scale_by_kronecker_roots` says more."""


@leafwise(reads="step", slots=("factors", "roots"), shared="weight")
def scale_by_kronecker_roots(
    decay: Hyperparameter | None = None,
    eps: Hyperparameter = 1e-6,
    *,
    exponent: Hyperparameter | None = None,
    every: Hyperparameter = 1,
    relative_eps: bool = False,
    block_size: int | None = 1024,
    axes: Structure | None = None,
    statistics: Statistics = "gram",
    kronecker_sum: bool = False,
) -> LeafFunctions:
    """Multiply each array along its axes by inverse roots of what its gradients were there.

    Lₜ = Lₜ₋₁ + gₜ·gₜᵀ, Rₜ = Rₜ₋₁ + gₜᵀ·gₜ, uₜ = (Lₜ + ε)^(−1/4)·gₜ·(Rₜ + ε)^(−1/4) for a matrix,
    and the exponent −1/(2k) for an array with k factors, one for each axis. A vector or a number
    is divided by the root of its sum of squares plus ε, element by element.

    Turning the coordinates of an axis turns the updates with them. Without accumulation
    (``decay=0``) a matrix of full rank becomes its orthogonal polar factor UVᵀ (ε → 0), with the
    factor of one axis alone as well.

    Args:
        decay: weight of the old value, where factors are averages, which are corrected for their
            start at zero; without it they are sums.
        eps: ε, added to the eigenvalues of a factor.
        exponent: p of the root F^(−p) of each factor, where it is not 1/(2k).
        every: steps from one computation of the roots to the next, the first at the first step.
        relative_eps: whether ε is in units of the largest eigenvalue of a factor.
        block_size: the largest side of the blocks that an array is cut into, each of which has
            factors of its own; None cuts nothing.
        axes: the axis that has a factor, where it is not all that have; or a list of pairs
            ``(pattern, axes)`` with an axis or a tuple of them.
        statistics: "gram" for the sums above; "kl" to whiten the gradient along all other axes
            before, by which the factors are those of the Gaussian of least Kullback–Leibler
            divergence from the gradients, L = mean of g·R⁻¹·gᵀ/n and so on. Its exponent is 1/2.
        kronecker_sum: whether the factors are combined by the sum of their roots, applied twice,
            and not by their product: for a matrix uₜ = ¼(L̃(L̃g + gR̃) + (L̃g + gR̃)R̃).

    Raises:
        ValueError: if ``statistics`` is neither, or if "kl" is given an exponent or a sum.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_kronecker_roots
    >>> tx = scale_by_kronecker_roots(eps=0.0)
    >>> gradient = jnp.array([[0.0, -3.0], [2.0, 0.0]])
    >>> tx.update(gradient, tx.init(gradient))[0].round(3) + 0.0
    Array([[ 0., -1.],
           [ 1.,  0.]], dtype=float32)

    Source: V. Gupta, T. Koren, Y. Singer, Shampoo: preconditioned stochastic tensor optimization,
    2018, algorithms 1 and 2; R. Anil, V. Gupta, T. Koren, K. Regan, Y. Singer, Scalable second
    order optimization for deep learning, 2020, section 4; W. Lin, S. C. Lowe, F. Dangel and others,
    Understanding and improving Shampoo and SOAP via Kullback–Leibler minimization, 2025.
    """
    if statistics not in ("gram", "kl"):
        raise ValueError(f'statistics must be "gram" or "kl", not {statistics!r}')
    if statistics == "kl" and (exponent is not None or kronecker_sum):
        raise ValueError('statistics="kl" fit the exponent 1/2 of a product: give no other')

    def chosen(ndim):
        given = (axes,) if isinstance(axes, int) else axes
        return range(ndim) if given is None else sorted({axis % ndim for axis in given})

    def is_diagonal(like):
        return like.ndim < 2 or like.size == 0 or not chosen(like.ndim)

    def init(like):
        if is_diagonal(like):
            return jnp.zeros_like(like).real, ()
        block = block_shape(like.shape, block_size)
        number = cut(like, block_size).shape[0]
        eyes = tuple(
            jnp.broadcast_to(jnp.eye(block[axis], dtype=like.dtype), (number, *[block[axis]] * 2))
            for axis in chosen(like.ndim)
        )
        return jax.tree.map(jnp.zeros_like, eyes), eyes

    def accumulated(old, new):
        return old + new if decay is None else decay * old + (1 - decay) * new

    def update(u, state, weight, step):
        factors, roots = state
        arrived = 1 if decay is None else weight.value()
        if is_diagonal(u):
            factors = accumulated(factors, abs_squared(u))
            return u * inverse_power(factors / arrived, 0.5, eps, relative_eps), (factors, ())
        own = chosen(u.ndim)
        power = exponent
        if power is None:
            power = 0.5 if statistics == "kl" else 0.5 / len(own)

        def fresh(blocks, roots):
            """What one step adds to the factors."""
            whitened = roots if statistics == "kl" else ()
            return tuple(statistics_of_axis(blocks, axis, own, whitened) for axis in own)

        def root(factor):
            return inverse_root(factor / arrived, power, eps, relative_eps)

        blocks = cut(u, block_size)
        new = jax.vmap(fresh)(blocks, roots)
        factors = tuple(map(accumulated, factors, new))
        compute = lambda factors, _: tuple(map(jax.vmap(root), factors))  # noqa: E731
        keep = lambda _, roots: roots  # noqa: E731
        roots = rarely(is_due(step, every), compute, keep, factors, roots)
        combine = _summed if kronecker_sum else _multiplied
        blocks = jax.vmap(lambda u, roots: combine(u, dict(zip(own, roots, strict=True))))(
            blocks, roots
        )
        return joined(blocks, u.shape), (factors, roots)

    if decay is None:
        return init, update
    return init, update, Shared(Weight.at_start, lambda weight: weight.after(decay))


def statistics_of_axis(
    u: jax.Array, axis: int, own: Sequence[int], whitening: Sequence[jax.Array]
) -> jax.Array:
    """What one gradient adds to the factor of an axis.

    Args:
        u: the gradient.
        axis: the axis.
        own: the axes that have factors.
        whitening: a matrix for each of them, by which the others are multiplied before; then the
            mean over all other elements is taken, and otherwise the sum.
    """
    if not whitening:
        return gram(u, axis)
    for other, root in zip(own, whitening, strict=True):
        u = u if other == axis else along(root, u, other)
    return gram(u, axis) * (u.shape[axis] / u.size)


def _multiplied(u, roots):
    for axis, root in roots.items():
        u = along(root, u, axis)
    return u


def _summed(u, roots):
    for _ in range(2):
        products = [along(root, u, axis) for axis, root in roots.items()]
        u = jax.tree.reduce(jnp.add, products) / len(roots)
    return u


def inverse_power(values: jax.Array, power: Number, eps: Number, relative: bool) -> jax.Array:
    """(v + ε)^(−power) of numbers that are not negative, and 0 where that base is 0.

    Args:
        values: v.
        power: the exponent without its sign.
        eps: ε.
        relative: whether ε is in units of the largest of the numbers.
    """
    base = values + eps * (jnp.max(values, initial=0) if relative else 1)
    vanishes = base <= 0
    return jnp.where(vanishes, 0, jnp.where(vanishes, 1, base) ** -power)


def inverse_root(matrix: jax.Array, power: Number, eps: Number, relative: bool) -> jax.Array:
    """(M + εI)^(−power) of a Hermitian matrix whose eigenvalues are not negative.

    Directions in which M + εI is zero to rounding are mapped to zero.
    """
    values, basis = jnp.linalg.eigh(matrix)
    largest = jnp.max(values, initial=0)
    # What is below the rounding of the largest eigenvalue is none.
    floor = jnp.finfo(values.dtype).eps * matrix.shape[-1] * largest
    scales = inverse_power(jnp.where(values > floor, values, 0), power, eps, relative)
    return jnp.matmul(basis * scales[None], basis.conj().T, precision=jax.lax.Precision.HIGHEST)

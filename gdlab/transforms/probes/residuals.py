"""Least squares: the loss of residuals, and steps computed from their Jacobian."""

from collections.abc import Callable
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_numbers
from gdlab.core.numerics import safe_divide, safe_sqrt, widen
from gdlab.core.structure import Function, Params, Tree, leaves_with_paths
from gdlab.transforms.matrices.decompositions import svd
from gdlab.transforms.norms.norms import norm

_NEWTON_STEPS = 20


def half_squares(residuals: Callable[[Params], Tree]) -> Callable[[Params], jax.Array]:
    """The loss of least squares, ½‖r(w)‖².

    Call it once and keep the function: each call makes a new one, for which JAX compiles anew.

    Args:
        residuals: a function of the parameters that returns an array or a tree of real arrays.

    >>> import jax.numpy as jnp
    >>> from gdlab import half_squares
    >>> half_squares(lambda w: jnp.array([3.0, 4.0]) - w)(0.0)
    Array(12.5, dtype=float32)
    """
    if not callable(residuals):
        raise TypeError(f"residuals must be a function, not {residuals!r}")

    def loss(params: Params) -> jax.Array:
        leaves = jax.tree.leaves(_residuals_at(residuals, params))
        return sum((jnp.sum(leaf**2) for leaf in leaves), jnp.zeros(())) / 2

    return loss


def _residuals_at(residuals: Function, params: Params) -> Tree:
    made = called_as("residuals(params)", residuals, params)
    # A model without parameters may have no residuals either.
    if made is None or not all(map(is_array_of_numbers, jax.tree.leaves(made))):
        raise TypeError(f"residuals must return an array, or a tree of arrays, not {made!r}")
    return made


class Linearized(NamedTuple):
    """Residuals to first order, r + J·p, with the SVD of J whose columns are scaled."""

    scales: jax.Array
    """The unit of each parameter, by which its column of J is divided."""
    left: jax.Array
    """The residuals in the basis of the left singular vectors."""
    values: jax.Array
    """The singular values, with 0 for those below rounding error."""
    right: jax.Array
    """The right singular vectors, one per row."""
    squares: jax.Array
    """½‖r‖²."""
    unravel: Function

    @classmethod
    def at(cls, residuals: Function, params: Params, scales: jax.Array | None = None) -> Self:
        """The residuals, linearized at the parameters.

        Args:
            residuals: the function.
            params: the point of linearization.
            scales: the previous units of the parameters, which the new ones are not below; None for
                units of 1.

        Raises:
            TypeError: if a parameter or a residual is complex.
        """
        flat, unravel = ravel_pytree(params)
        if jnp.iscomplexobj(flat) or any(
            map(jnp.iscomplexobj, jax.tree.leaves(_residuals_at(residuals, params)))
        ):
            raise TypeError("least squares are of real residuals of real parameters")

        def vector(flat: jax.Array) -> jax.Array:
            return ravel_pytree(widen(_residuals_at(residuals, unravel(flat))))[0]

        r, jacobian = vector(flat), jax.jacfwd(vector)(flat)
        if scales is None:
            scales = jnp.ones_like(flat)
        else:
            scales = jnp.maximum(scales, jnp.linalg.norm(jacobian, axis=0))
        units = jnp.where(scales > 0, scales, 1)
        left, values, right = svd(jacobian / units[None])
        least = jnp.finfo(r.dtype).eps * max(jacobian.shape) * jnp.max(values, initial=0)
        values = jnp.where(values > least, values, 0)
        return cls(scales, r @ left, values, right, jnp.vdot(r, r) / 2, unravel)

    def length(self, params: Params) -> jax.Array:
        """‖D·w‖ for a tree w like the parameters."""
        return norm(self.scales * ravel_pytree(params)[0])

    def damping(self, radius: jax.Array) -> jax.Array:
        """The λ for which ‖D·p‖ is the radius, or 0 if the undamped step is not longer.

        Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 4.3.
        """

        def approach(_: int, damping: jax.Array) -> jax.Array:
            root = self.values**2 + damping
            squares = (self.left * self.values) ** 2
            length = safe_sqrt(jnp.sum(safe_divide(squares, root**2)))
            slope = jnp.sum(safe_divide(squares, root**3))
            excess = (length - radius) / radius
            new = damping + safe_divide(length**2, slope) * excess
            return jnp.maximum(new, 0)

        return jax.lax.fori_loop(0, _NEWTON_STEPS, approach, jnp.zeros_like(radius))

    def step(self, damping: jax.Array | float) -> tuple[Params, jax.Array]:
        """The p that minimises ½‖r + J·p‖² + ½·λ·‖D·p‖² (the shortest, if λ = 0), and ‖D·p‖."""
        along = -self.left * safe_divide(self.values, self.values**2 + damping)
        units = jnp.where(self.scales > 0, self.scales, 1)
        return self.unravel(along @ self.right / units), norm(along)

    def decrease(self, damping: jax.Array) -> tuple[jax.Array, jax.Array]:
        """½‖r‖² − ½‖r + J·p‖² for the step p with this damping, and −⟨∇½‖r‖², p⟩."""
        part = safe_divide(self.values**2, self.values**2 + damping)
        return jnp.sum(self.left**2 * part * (2 - part)) / 2, jnp.sum(self.left**2 * part)


def number_of(params: Params) -> int:
    """The number of parameters."""
    return sum(leaf.size for _, leaf in leaves_with_paths(params) if leaf is not None)

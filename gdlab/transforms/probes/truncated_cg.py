"""Conjugate gradients on a quadratic model, truncated at a tolerance or at the edge of a ball."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.numerics import safe_sqrt
from gdlab.core.returned import gradient_at_params
from gdlab.core.structure import Number, Tree
from gdlab.transforms.norms.inner_products import add_scaled, chosen, inner_product, scaled
from gdlab.transforms.norms.norms import tree_norm


class Solved(NamedTuple):
    """The result of the iteration."""

    step: Tree
    """The step within the ball before the end."""
    direction: Tree
    """The direction along which the iteration would have continued."""
    curvature: jax.Array
    """The curvature ⟨p, H·p⟩ of the last direction p; one that is not positive ended it."""
    is_inside: jax.Array
    """True if the iteration stayed in the ball."""
    products: jax.Array
    """The number of products with the Hessian."""


class _Iteration(NamedTuple):
    step: Tree
    residual: Tree
    direction: Tree
    ended: jax.Array
    curvature: jax.Array
    is_inside: jax.Array
    products: jax.Array


def truncated_cg(
    product: Callable[[Tree], Tree],
    gradient: Tree,
    tolerance: jax.Array,
    most_products: jax.Array | int,
    radius: jax.Array | float,
) -> Solved:
    """Minimise ⟨g, p⟩ + ½⟨p, H·p⟩ from p = 0 until ‖H·p + g‖ ≤ tolerance.

    It stops at a direction of negative curvature, and before it would leave the ball ‖p‖ < radius.

    Args:
        product: the function p ↦ H·p.
        gradient: g.
        tolerance: the largest norm of the residual H·p + g at which to stop.
        most_products: the largest number of iterations.
        radius: the radius of the ball, or infinity.

    Source: T. Steihaug, The conjugate gradient method and trust regions in large scale
    optimization, 1983; J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.2.
    """

    def goes_on(it: _Iteration) -> jax.Array:
        return ~it.ended & (it.products < most_products)

    def iterate(it: _Iteration) -> _Iteration:
        product_of = product(it.direction)
        curvature = inner_product(it.direction, product_of)
        is_convex = curvature > 0
        old = inner_product(it.residual, it.residual)
        size = old / jnp.where(is_convex, curvature, 1)
        step = add_scaled(it.step, size, it.direction)
        is_inside = tree_norm(step) < radius
        goes = is_convex & is_inside
        residual = add_scaled(it.residual, size, product_of)
        new = inner_product(residual, residual)
        onward = add_scaled(scaled(-1.0, residual), new / jnp.where(old > 0, old, 1), it.direction)
        return _Iteration(
            step=chosen(goes, step, it.step),
            residual=chosen(goes, residual, it.residual),
            direction=chosen(goes, onward, it.direction),
            ended=~goes | (safe_sqrt(new) <= tolerance),
            curvature=curvature,
            is_inside=is_inside,
            products=it.products + 1,
        )

    start = _Iteration(
        step=jax.tree.map(jnp.zeros_like, gradient),
        residual=gradient,
        direction=scaled(-1.0, gradient),
        ended=~(tree_norm(gradient) > tolerance),
        curvature=jnp.ones_like(tolerance),
        is_inside=jnp.array(True),
        products=jnp.int32(0),
    )
    end = jax.lax.while_loop(goes_on, iterate, start)
    return Solved(end.step, end.direction, end.curvature, end.is_inside, end.products)


def to_the_edge(step: Tree, direction: Tree, radius: jax.Array) -> Tree:
    """The point where the ray from ``step`` along ``direction`` leaves the ball."""
    a = inner_product(direction, direction)
    b = inner_product(step, direction)
    c = inner_product(step, step) - radius**2
    root = safe_sqrt(jnp.maximum(b**2 - a * c, 0))
    # The form of the root without cancellation.
    below = b + root
    size = jnp.where(
        b > 0, -c / jnp.where(below > 0, below, 1), (root - b) / jnp.where(a > 0, a, 1)
    )
    return add_scaled(step, size, direction)


def forcing_tolerance(gradient: Tree, most: Number) -> jax.Array:
    """min(most, √‖g‖)·‖g‖, a tolerance with which Newton's method converges superlinearly.

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, eq. 7.3.
    """
    size = tree_norm(gradient)
    return jnp.minimum(most, safe_sqrt(size)) * size


def hessian_times(grad_fn: Callable[[Tree], Tree], params: Tree) -> Callable[[Tree], Tree]:
    """v ↦ H·v at the parameters, linearized once for all products."""
    return jax.linearize(functools.partial(gradient_at_params, grad_fn), params)[1]

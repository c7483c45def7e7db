"""The directions of nonlinear conjugate gradients."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.numerics import safe_divide
from gdlab.core.structure import Tree
from gdlab.core.transformation import transformation
from gdlab.transforms.norms.inner_products import (
    add_scaled,
    chosen,
    filled,
    inner_product,
    subtracted,
)


class _Products(NamedTuple):
    """The inner products of a step, with g the gradient, y its change, p the old direction."""

    gg: jax.Array
    gy: jax.Array
    old_gg: jax.Array
    py: jax.Array


Beta = Literal["FR", "PR+", "HS", "DY"]
_BETAS: Mapping[str, Callable[[_Products], jax.Array]] = MappingProxyType(
    {
        "FR": lambda x: safe_divide(x.gg, x.old_gg),
        "PR+": lambda x: jnp.maximum(safe_divide(x.gy, x.old_gg), 0),
        "HS": lambda x: _over_curvature(x.gy, x.py),
        "DY": lambda x: _over_curvature(x.gg, x.py),
    }
)


@transformation(slots=("updates", "direction"))
def conjugate_direction(beta: Beta = "PR+") -> TreeFunctions:
    """The gradient plus a multiple of the last direction, so that steps do not undo each other.

    dₜ = gₜ + βₜ·dₜ₋₁ with y = gₜ − gₜ₋₁ and, by the name of ``beta``,
    FR: ‖gₜ‖²/‖gₜ₋₁‖² (Fletcher and Reeves 1964), PR+: max(0, ⟨gₜ, y⟩/‖gₜ₋₁‖²) (Polak and Ribière
    1969, cut off by Powell), HS: ⟨gₜ, y⟩/⟨−dₜ₋₁, y⟩ (Hestenes and Stiefel 1952),
    DY: ‖gₜ‖²/⟨−dₜ₋₁, y⟩ (Dai and Yuan 1999)

    Where ⟨gₜ, dₜ⟩ is not positive the direction would not be one of descent, and dₜ is reset to gₜ.
    On a quadratic with exact line searches all four are the method of conjugate gradients, which
    reaches the minimum in as many steps as the Hessian has different eigenvalues.

    Args:
        beta: the formula.

    >>> import jax.numpy as jnp
    >>> from gdlab import conjugate_direction
    >>> tx = conjugate_direction("FR")
    >>> state = tx.init(jnp.zeros(2))
    >>> for g in (jnp.array([2.0, 0.0]), jnp.array([0.0, 1.0])):
    ...     d, state = tx.update(g, state)
    ...     print(d)
    [2. 0.]
    [0.5 1. ]

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 5.4 and eq. 5.41–5.49.
    """

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return zeros, zeros

    def update(updates, state):
        old, direction = state
        gradient = filled(updates, old)
        new = add_scaled(gradient, _part(beta, gradient, old, direction), direction)
        leads_down = inner_product(gradient, new) > 0
        new = chosen(leads_down, new, gradient)
        return new, (gradient, new)

    return init, update


def _part(beta: str, gradient: Tree, old: Tree, direction: Tree) -> jax.Array:
    change = subtracted(gradient, old)
    part = _BETAS[beta](
        _Products(
            gg=inner_product(gradient, gradient),
            gy=inner_product(gradient, change),
            old_gg=inner_product(old, old),
            # The direction is subtracted, so its sign is opposite to that in the literature.
            py=-inner_product(direction, change),
        )
    )
    return jnp.where(jnp.isfinite(part), part, 0)


def _over_curvature(numerator: jax.Array, curvature: jax.Array) -> jax.Array:
    """The numerator over the curvature, or 0 where the curvature is 0."""
    vanishes = curvature == 0
    return jnp.where(vanishes, 0, numerator / jnp.where(vanishes, 1, curvature))

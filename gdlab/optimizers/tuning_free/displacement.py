"""Wrappers that scale the displacement of another optimizer by a learned number."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.numerics import common_dtype, squarable, trained
from gdlab.core.state import refuse_narrow_within
from gdlab.core.structure import Params, Tree, map_arrays
from gdlab.core.transformation import GradientTransformation
from gdlab.transforms.norms.inner_products import (
    add_scaled,
    filled,
    inner_product,
    scaled,
    subtracted,
)


def scaled_displacement(
    base_optimizer: GradientTransformation,
    start: Callable[[jax.Array], Tree],
    learn: Callable[[Tree, jax.Array], Tree],
    scale: Callable[[Tree], jax.Array],
    regularised: Callable[[Tree, Params, jax.Array], Tree],
) -> TreeFunctions:
    """``init`` and ``update`` of a wrapper around ``base_optimizer``, with three slots.

    wₜ₊₁ = w₀ + Sₜ₊₁·Δₜ₊₁, Δₜ₊₁ = Δₜ + base(gₜ): the sum Δ of the base's updates is scaled by S. S
    is learned from hₜ = −⟨Δₜ, gₜ⟩, the decrease of the loss per increase of the scale. The slots
    are the base's state, Δ, and the learner: the state from which S is computed.

    Args:
        base_optimizer: an optimizer, including its learning rate.
        start: ``start(zero)`` → the initial learner, in the dtype of ``zero``.
        learn: ``learn(learned, h)`` → the learner after a step.
        scale: ``scale(learned)`` → S.
        regularised: ``regularised(g, params, scale)`` → the gradient that is used in h.
    """

    def init(params):
        refuse_narrow_within("the scaling of displacements", base_optimizer.init, params)
        zero = jnp.zeros((), common_dtype(jax.tree.leaves(params)))
        way = jax.tree.map(jnp.zeros_like, trained(params))
        return base_optimizer.init(params), way, start(zero)

    def update(updates, state, params, **extra):
        inner, way, learned = state
        moved, inner = base_optimizer.update(updates, inner, params, **extra)
        w, old_scale = trained(params), scale(learned)
        gradient = regularised(filled(updates, w), w, old_scale)
        # The learners square h, so it must not overflow when squared.
        learned = learn(learned, squarable(-inner_product(way, gradient)))
        new_way = add_scaled(way, 1.0, filled(moved, w))
        steps = subtracted(scaled(scale(learned), new_way), scaled(old_scale, way))
        return map_arrays(lambda _, step: step, moved, steps), (inner, new_way, learned)

    return init, update

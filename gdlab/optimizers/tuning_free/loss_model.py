"""The model of the loss in MoMo's methods: averaged linearizations above a lower bound."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.export import is_exported
from gdlab.core.numerics import common_dtype, safe_divide
from gdlab.core.structure import Number, Tree
from gdlab.transforms.norms.inner_products import add_scaled, scaled


@is_exported
class LossModel(NamedTuple):
    """A linear model of the loss, averaged over steps, and the lower bound that truncates it."""

    value: jax.Array
    """The average of the losses."""
    product: jax.Array
    """The average of ⟨gradient, parameters⟩."""
    bound: jax.Array
    """The lower bound of the loss."""

    @classmethod
    def at_start(cls, params: Tree, bound: Number) -> "LossModel":
        """Return the model before the first loss, with averages of zero."""
        zero = jnp.zeros((), common_dtype(jax.tree.leaves(params)))
        return cls(zero, zero, bound + zero)

    def after(self, decay: Number, value: jax.Array, product: jax.Array) -> "LossModel":
        """Return the model with one more loss in its averages."""
        move = lambda old, new: decay * old + (1 - decay) * new  # noqa: E731
        return LossModel(move(self.value, value), move(self.product, product), self.bound)

    def step_size(
        self,
        weight: Number,
        along: jax.Array,
        squared_norm: jax.Array,
        alpha: Number,
        shrinkage: Number,
        lower_bound: Number | None,
    ) -> tuple[jax.Array, "LossModel"]:
        """The step size along the average gradient, and the model with the new lower bound.

        Args:
            weight: the sum of the weights in the averages, in [0, 1].
            along: ⟨average gradient, parameters⟩.
            squared_norm: the squared norm of the average gradient, in the inverse metric.
            alpha: the largest step size.
            shrinkage: 1 + alpha·weight_decay.
            lower_bound: the least value of an adapted bound; None if the bound is not adapted.
        """
        height = shrinkage * (self.value - self.product) + along
        bound = self.bound
        if lower_bound is not None:
            too_high = height < shrinkage * weight * bound
            lowered = jnp.maximum(height / (2 * shrinkage * weight), lower_bound)
            bound = jnp.where(too_high, lowered, bound)
        gap = jnp.maximum(height - shrinkage * weight * bound, 0)
        tau = jnp.minimum(alpha / weight, safe_divide(gap, squared_norm))
        if lower_bound is not None:
            reached = self.value + along - self.product - tau * squared_norm / 2
            bound = jnp.maximum(reached / weight, lower_bound)
        return tau, self._replace(bound=bound)


def shrunk(params: Tree, shrinkage: Number, step: Tree) -> Tree:
    """The update that adds a step to the parameters and divides the sum by ``shrinkage``."""
    return add_scaled(scaled(1 / shrinkage, step), 1 / shrinkage - 1, params)

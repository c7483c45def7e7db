"""The loss along a ray from the parameters, and the state that a line search keeps."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import require_real_scalar
from gdlab.core.apply import apply_updates
from gdlab.core.export import is_exported
from gdlab.core.numerics import common_dtype
from gdlab.core.structure import Function, Leaf, Params, Tree, Updates
from gdlab.transforms.norms.inner_products import chosen, inner_product, scaled

_GIVES_UP_AFTER = 2


class Point(NamedTuple):
    """A point of a ray."""

    size: jax.Array
    """The step size that leads to the point."""
    value: jax.Array
    """The loss at the point."""
    slope: jax.Array
    """The derivative of the loss with respect to the step size."""

    def is_finite(self) -> jax.Array:
        """Tell whether value and slope are finite."""
        return jnp.isfinite(self.value) & jnp.isfinite(self.slope)

    def or_infinite(self) -> "Point":
        """The point, with infinite loss and slope if either is not finite."""
        infinity = jnp.full_like(self.size, jnp.inf)
        finite = self.is_finite()
        return Point(
            self.size,
            jnp.where(finite, self.value, infinity),
            jnp.where(finite, self.slope, infinity),
        )


@is_exported
class Searched(NamedTuple):
    """The end of a line search, from which the next step starts."""

    value: jax.Array
    """The loss at the parameters after the step."""
    grad: Tree
    """The gradient at the parameters after the step."""
    evaluations: jax.Array
    """The number of evaluations of the loss and its gradient, in all steps together."""
    failures: jax.Array
    """The number of consecutive steps without an accepted point."""

    def next_value_and_grad(self) -> tuple[jax.Array, Tree]:
        """Value and gradient at the parameters after the step."""
        return self.value, self.grad

    def evaluations_made(self) -> jax.Array:
        """The evaluations of all steps."""
        return self.evaluations

    def has_stalled(self) -> jax.Array:
        """Tell whether two consecutive steps failed, the second one along a fresh direction."""
        return self.failures >= _GIVES_UP_AFTER

    @classmethod
    def nothing(cls, params: Params) -> "Searched":
        """Return the record before the first step."""
        dtype = common_dtype(jax.tree.leaves(params))
        zero = jnp.zeros((), jnp.int32)
        return cls(jnp.zeros((), dtype), jax.tree.map(jnp.zeros_like, params), zero, zero)

    def after(
        self, value: jax.Array, grad: Tree, evaluations: jax.Array | int, failed: jax.Array
    ) -> "Searched":
        """Return the record after a step that led to this value and gradient, or failed."""
        return Searched(
            value=value,
            grad=grad,
            evaluations=self.evaluations + evaluations,
            failures=jnp.where(failed, self.failures + 1, 0),
        )


def along(
    value_fn: Function, params: Params, direction: Updates
) -> Callable[[jax.Array], tuple[Point, Tree]]:
    """The function ``at(size)``: the point of the ray params + size·direction, and its gradient."""

    def at(size: jax.Array) -> tuple[Point, Tree]:
        def loss(step: Updates) -> jax.Array:
            value = called_as("value_fn(params)", value_fn, apply_updates(params, step))
            return require_real_scalar("what value_fn returns", value)

        value, grad = jax.value_and_grad(loss)(scaled(size, direction))
        grad = jax.tree.map(_steepest, grad)
        return Point(size, value.astype(size.dtype), inner_product(grad, direction)), grad

    return at


def start_of(value: Leaf, grad: Tree, direction: Updates) -> Point:
    """The start of a ray."""
    slope = inner_product(grad, direction)
    value = require_real_scalar("value", value)
    return Point(jnp.zeros_like(slope), jnp.asarray(value).astype(slope.dtype), slope)


def step_along(direction: Updates, size: jax.Array) -> Updates:
    """The step size·direction; zeros if the size is 0, even for an infinite direction."""
    zeros = jax.tree.map(jnp.zeros_like, direction)
    return chosen(size > 0, scaled(size, direction), zeros)


def _steepest(grad: jax.Array) -> jax.Array:
    # JAX's gradient of a complex parameter is the conjugate of the direction of steepest ascent.
    return jnp.conj(grad) if jnp.iscomplexobj(grad) else grad

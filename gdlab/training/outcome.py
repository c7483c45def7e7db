"""The reasons why a run ends, and the test of convergence."""

import enum

import jax
import jax.numpy as jnp

from gdlab.core.numerics import common_dtype
from gdlab.core.structure import Tree


class Outcome(enum.IntEnum):
    """The reason why a run with a tolerance ended.

    It is an integer, so that the outcomes of many lanes are one array.

    >>> import jax.numpy as jnp
    >>> from gdlab import Outcome
    >>> jnp.array([1, 0, 1]) == Outcome.CONVERGED
    Array([ True, False,  True], dtype=bool)
    >>> Outcome(1).name
    'CONVERGED'
    """

    STEP_LIMIT = 0
    """The maximum number of steps was taken, and the gradient still exceeds the tolerance."""
    CONVERGED = 1
    """No element of the (projected) gradient is larger than the tolerance."""
    STALLED = 2
    """The optimizer finds no step that decreases the loss: rounding hides it, or the gradient is
    not that of the loss."""
    NOT_FINITE = 3
    """The loss or its gradient is not finite."""


def largest_modulus(tree: Tree) -> jax.Array:
    """The largest modulus of all elements, in float32 at least; NaN if one is NaN."""
    leaves = jax.tree.leaves(tree)
    dtype = common_dtype(leaves)
    each = [jnp.max(jnp.abs(leaf), initial=0).astype(dtype) for leaf in leaves]
    return jnp.max(jnp.array([*each, 0], dtype))


def outcome_at(value: jax.Array, grad: Tree, tol: jax.Array, stalled: jax.Array) -> jax.Array:
    """The outcome of a run at a point; :attr:`Outcome.STEP_LIMIT` if the run goes on."""
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((value, grad))]
    return jnp.select(
        [~jnp.all(jnp.array(finite)), largest_modulus(grad) <= tol, stalled],
        [Outcome.NOT_FINITE, Outcome.CONVERGED, Outcome.STALLED],
        Outcome.STEP_LIMIT,
    ).astype(jnp.int32)

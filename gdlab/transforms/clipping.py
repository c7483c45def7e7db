"""Bounds on the updates: element by element, or on the norm of them all."""

import functools

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import arrays_only, common_dtype, safe_sqrt, widen
from gdlab.core.structure import Tree
from gdlab.core.transformation import leafwise, transformation


@leafwise
def clip(max_delta: Hyperparameter) -> LeafFunctions:
    """Bound each element of the updates.

    uₜ = max(−max_delta, min(gₜ, max_delta))

    >>> import jax.numpy as jnp
    >>> from gdlab import clip
    >>> tx = clip(1.0)
    >>> tx.update(jnp.array([0.5, -7.0]), tx.init(jnp.zeros(2)))[0]
    Array([ 0.5, -1. ], dtype=float32)
    """
    return lambda u: jnp.clip(u, -max_delta, max_delta)


@transformation
def clip_by_global_norm(max_norm: Hyperparameter) -> TreeFunctions:
    """Bound the norm of all updates together, keeping their direction.

    uₜ = gₜ·min(1, max_norm/‖gₜ‖), with the norm over the whole tree, in float32 at least

    What is not finite spoils itself alone: the other elements keep within the bound.

    >>> import jax.numpy as jnp
    >>> from gdlab import clip_by_global_norm
    >>> tx = clip_by_global_norm(1.0)
    >>> updates, _ = tx.update({"a": jnp.array([3.0]), "b": jnp.array([4.0])}, tx.init(None))
    >>> updates
    {'a': Array([0.6], dtype=float32), 'b': Array([0.8], dtype=float32)}

    Source: R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural
    networks, 2013, algorithm 1.
    """

    def update(updates):
        # A NaN spoils its own element, and not the bound on the others.
        norm = _norm(updates, ignore_nan=True)
        too_long = norm > max_norm
        factor = jnp.where(too_long, max_norm / jnp.where(too_long, norm, 1), 1)
        return jax.tree.map(lambda u: u * factor.astype(u.real.dtype), updates)

    return update


@jax.jit
def global_norm(tree: Tree) -> jax.Array:
    """The Euclidean norm of all elements of a tree, computed in float32 at least.

    ‖g‖ = √Σᵢ|gᵢ|²

    Squares neither overflow nor vanish, and its derivative at zero is zero.

    >>> import jax.numpy as jnp
    >>> from gdlab import global_norm
    >>> global_norm({"a": jnp.array([3.0]), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """
    return _norm(arrays_only(tree), ignore_nan=False)


def _norm(tree: Tree, ignore_nan: bool) -> jax.Array:
    leaves = jax.tree.leaves(widen(tree))
    widest = common_dtype(leaves)

    def norm_in_units_of(unit, sizes):
        total = sum((jnp.sum((size / unit) ** 2) for size in sizes), jnp.zeros((), widest))
        return unit * safe_sqrt(total)

    def of_extreme_elements():
        # Their squares overflow or vanish, so they are measured by the largest of them. All this is
        # computed here and not before: what is handed into a branch has to be stored.
        sizes = [jnp.abs(leaf).astype(widest) for leaf in leaves]
        if ignore_nan:
            sizes = [jnp.where(jnp.isnan(size), 0, size) for size in sizes]
        each = (jnp.max(size, initial=0) for size in sizes)
        largest = jax.lax.stop_gradient(functools.reduce(jnp.maximum, each, jnp.zeros((), widest)))
        measurable = (largest > 0) & jnp.isfinite(largest)
        measured = norm_in_units_of(jnp.where(measurable, largest, 1), sizes)
        return jnp.where(jnp.isinf(largest), largest, measured)

    plain = norm_in_units_of(
        jnp.ones((), widest), (jnp.abs(leaf).astype(widest) for leaf in leaves)
    )
    smallest = float(jnp.finfo(widest).tiny) ** 0.25
    measured = (plain > smallest) & jnp.isfinite(plain)
    return jax.lax.cond(measured, lambda: plain, of_extreme_elements)

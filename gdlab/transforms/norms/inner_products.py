"""The vector space of trees: inner products, and sums with scaled trees."""

import jax
import jax.numpy as jnp

from gdlab.core.numerics import common_dtype
from gdlab.core.structure import Number, Tree, is_none


def inner_product(one: Tree, other: Tree) -> jax.Array:
    """Re⟨one, other⟩ over all elements of two trees of arrays, in float32 at least.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.norms.inner_products import inner_product
    >>> inner_product({"a": jnp.array([1.0, 2.0])}, {"a": jnp.array([3.0, 4.0])})
    Array(11., dtype=float32)
    """
    widest = common_dtype([*jax.tree.leaves(one), *jax.tree.leaves(other)])
    products = jax.tree.map(lambda a, b: jnp.sum((a.conj() * b).real, dtype=widest), one, other)
    return sum(jax.tree.leaves(products), jnp.zeros((), widest))


def scaled(factor: Number, tree: Tree) -> Tree:
    """A tree of arrays times a real number."""
    return jax.tree.map(lambda leaf: _like(leaf, factor) * leaf, tree)


def add_scaled(one: Tree, factor: Number, other: Tree) -> Tree:
    """one + factor·other, for a real number and two trees of arrays."""
    return jax.tree.map(lambda a, b: a + _like(b, factor) * b, one, other)


def subtracted(one: Tree, other: Tree) -> Tree:
    """The difference of two trees of arrays."""
    return jax.tree.map(jnp.subtract, one, other)


def filled(updates: Tree, like: Tree) -> Tree:
    """The updates, with zeros where they are None but ``like`` has an array."""
    return jax.tree.map(
        lambda u, leaf: jnp.zeros_like(leaf) if u is None and leaf is not None else u,
        updates,
        like,
        is_leaf=is_none,
    )


def chosen(condition: jax.Array, one: Tree, other: Tree) -> Tree:
    """Select one of two trees of arrays by a scalar condition."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


def _like(leaf: jax.Array, number: Number) -> jax.Array:
    return jnp.asarray(number).astype(leaf.dtype)

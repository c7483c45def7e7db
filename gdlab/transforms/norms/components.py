"""The direction of a tree of arrays, and the part of another tree orthogonal to it."""

import jax

from gdlab.core.numerics import safe_divide
from gdlab.core.structure import Tree
from gdlab.transforms.norms.inner_products import add_scaled, inner_product
from gdlab.transforms.norms.norms import tree_norm


def unit_and_length(tree: Tree) -> tuple[Tree, jax.Array]:
    """A tree divided by its norm, or zeros if the norm is 0, and the norm.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.norms.components import unit_and_length
    >>> unit_and_length(jnp.array([3.0, 4.0]))
    (Array([0.6, 0.8], dtype=float32), Array(5., dtype=float32))
    """
    length = tree_norm(tree)
    return jax.tree.map(lambda x: safe_divide(x, length.astype(x.real.dtype)), tree), length


def orthogonal_part(unit: Tree, tree: Tree) -> Tree:
    """The part of a tree that is orthogonal to a tree of norm 1: t − ⟨unit, t⟩·unit.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.norms.components import orthogonal_part
    >>> orthogonal_part(jnp.array([1.0, 0.0]), jnp.array([3.0, 4.0]))
    Array([0., 4.], dtype=float32)
    """
    return add_scaled(tree, -inner_product(unit, tree), unit)

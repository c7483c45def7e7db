"""Means over the blocks of an array, for methods with one step size per block."""

from typing import Annotated, TypeAlias

import jax.numpy as jnp

from gdlab.core.annotations import Data
from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import ByLeaf, as_structure
from gdlab.core.structure import Tree, Value
from gdlab.core.transformation import leafwise
from gdlab.transforms.signals.reductions import over_axes

BLOCKS = 'a block is "unit", "array", "element", or a tuple of axes'


def is_axes(value: object) -> bool:
    """Tell whether a value is a tuple of axes."""
    return isinstance(value, tuple) and all(isinstance(axis, int) for axis in value)


def as_blocks(value: Value) -> ByLeaf:
    """The block of each leaf, from what a user wrote."""
    own = as_structure(value, "block")
    for block in own.known_values():
        is_named = block in ("unit", "array", "element")
        if not (is_named or isinstance(block, int) or is_axes(block)):
            raise ValueError(f"{BLOCKS}, not {block!r}")
    return own


Blocks: TypeAlias = Annotated[Tree, Data(as_blocks, name="Structure")]
"""Annotation of a choice of blocks by leaf."""


@leafwise
def mean_over_block(block: Blocks = "unit") -> LeafFunctions:
    """Average each array over the axes that a block spans.

    uₜ = mean of gₜ over these axes, which keep length 1

    Args:
        block: the axes that a block spans: "unit" for all axes but the last, so that a block is the
            weights that feed one output of a JAX kernel, and a vector is one block; "array" for all
            axes; "element" for none; or an axis. Or a list of pairs ``(pattern, block)``, where a
            block may also be a tuple of axes. Axes that an array does not have are ignored.

    Raises:
        ValueError: if ``block`` is none of these.

    >>> import jax.numpy as jnp
    >>> from gdlab import fork, identity, mean_over_block
    >>> tx = fork(jnp.subtract, identity(), mean_over_block())
    >>> tx.update(jnp.array([[1.0, 5.0], [3.0, 5.0]]), tx.init(jnp.zeros((2, 2))))[0]
    Array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)

    Source: Y. Zhang and others, Adam-mini: use fewer learning rates to gain more, 2024,
    algorithm 3.
    """

    def spanned(ndim):
        if block == "unit":
            return tuple(range(max(ndim - 1, min(ndim, 1))))
        if block == "array":
            return tuple(range(ndim))
        if block == "element":
            return ()
        axes = (block,) if isinstance(block, int) else block
        if not is_axes(axes):
            raise ValueError(f"block: {BLOCKS}, not {block!r}")
        return axes

    return lambda u: over_axes(jnp.mean, u, spanned(u.ndim))

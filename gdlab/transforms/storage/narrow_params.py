"""Training of 16-bit parameters: the value kept for each, and how it is read and updated.

A step of less than half a spacing does not move a bfloat16 number: there are only 128 from 1 to 2.
So each way of training such parameters either keeps the rounding error or rounds at random.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from gdlab.core.authoring import TreeFunctions
from gdlab.core.numerics import cast, is_inexact, widen
from gdlab.core.rounding import NARROW, is_narrow, salt_of
from gdlab.core.structure import Leaf, Params, Tree, Updates, flatten
from gdlab.core.transformation import GradientTransformation


class NarrowParam:
    """The additional value stored for a 16-bit parameter, and the dtype of that parameter."""

    __slots__ = ("dtype", "kept")

    def __init__(self, kept: Tree, dtype: str):
        self.kept: Tree = kept
        """An array of the parameter's shape, or ``()``."""
        self.dtype: str = dtype
        """The name of the parameter's dtype."""

    def __repr__(self) -> str:
        return f"NarrowParam({self.kept!r}, {self.dtype!r})"

    def needs_wide_updates(self) -> bool:
        """Say that updates need a wider dtype than the parameter to reach its new value."""
        return True


jax.tree_util.register_pytree_with_keys(
    NarrowParam,
    lambda node: (((jax.tree_util.GetAttrKey("kept"), node.kept),), node.dtype),
    lambda dtype, children: NarrowParam(next(iter(children)), dtype),
    lambda node: ((node.kept,), node.dtype),
)
jax.export.register_pytree_node_serialization(
    NarrowParam,
    serialized_name="gdlab.NarrowParam",
    serialize_auxdata=str.encode,
    deserialize_auxdata=lambda text: bytes(text).decode(),
)


class ParamFormat(NamedTuple):
    """A way of training 16-bit parameters, for one array; all of its arithmetic is in float32.

    Compiled programs are cached by it, so its functions must be the same objects for equal
    settings.
    """

    begin: Callable[[jax.Array, np.dtype], Tree]
    """``begin(param, dtype)`` → the initial value kept for a parameter"""
    exact: Callable[[jax.Array, Tree, np.dtype], jax.Array]
    """``exact(param, kept, dtype)`` → the exact parameter, which the inner method trains"""
    rounded: Callable[[jax.Array, np.dtype, jax.Array], tuple[jax.Array, Tree]]
    """``rounded(exact, dtype, salt)`` → the new parameter and the value kept for it"""


def narrow_params(inner: GradientTransformation, way: ParamFormat) -> TreeFunctions:
    """``init`` and ``update`` of ``inner`` on the exact parameters, which ``way`` reconstructs.

    Parameters that do not have 16 bits pass through, and nothing is kept for them.
    """

    def init(params):
        return inner.init(widen(params)), jax.tree.map(functools.partial(_begin, way), params)

    def update(updates, state, params, step=0, **extra):
        inner_state, kept = state
        kept = _kept_at_leaves(kept, params)
        exact = _mapped(lambda w, own: _exact(way, w, own), params, kept)
        moves, inner_state = inner.update(updates, inner_state, exact, **extra)
        leaves, treedef = flatten(params)
        changes, after = [], []
        rows = zip(leaves, kept, flatten(exact)[0], treedef.flatten_up_to(moves), strict=True)
        for index, (w, own, whole, move) in enumerate(rows):
            narrow = isinstance(own, NarrowParam) and move is not None
            salt = salt_of(step, index)
            change, own = _moved(way, w, own, whole, move, salt) if narrow else (move, own)
            changes.append(change)
            after.append(own)
        return treedef.unflatten(changes), (inner_state, treedef.unflatten(after))

    return init, update


def _begin(way: ParamFormat, param: Leaf) -> Tree:
    if is_narrow(param):
        return NarrowParam(way.begin(cast(param, jnp.float32), param.dtype), param.dtype.name)
    if is_inexact(param) and jnp.result_type(param).itemsize < 2:
        raise TypeError(
            f"parameters of dtype {param.dtype} cannot be trained; "
            f"{' and '.join(dtype.name for dtype in NARROW)} can"
        )
    return ()


def _kept_at_leaves(kept: Tree, params: Params) -> list[Tree]:
    return flatten(params)[1].flatten_up_to(kept)


def _mapped(function: Callable[[Leaf, Tree], Leaf], params: Params, kept: list[Tree]) -> Params:
    leaves, treedef = flatten(params)
    return treedef.unflatten(map(function, leaves, kept))


def _exact(way: ParamFormat, param: Leaf, own: Tree) -> Leaf:
    if not isinstance(own, NarrowParam):
        return param
    return way.exact(cast(param, jnp.float32), own.kept, np.dtype(own.dtype))


@functools.partial(jax.jit, static_argnums=0)
def _moved(
    way: ParamFormat, param: Leaf, own: NarrowParam, exact: Leaf, move: Leaf, salt: jax.Array
) -> tuple[Updates, NarrowParam]:
    """The update that moves a parameter to the rounded sum of the exact one and its move."""
    moved = cast(exact, jnp.float32) + cast(move, jnp.float32)
    rounded, kept = way.rounded(moved, np.dtype(own.dtype), salt)
    return rounded - cast(param, jnp.float32), NarrowParam(kept, own.dtype)

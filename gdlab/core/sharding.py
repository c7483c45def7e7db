"""The sharding of an optimizer's state over devices, given that of the parameters."""

from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from gdlab.core.state import State
from gdlab.core.structure import Leaf, Tree, TreeDef, Value
from gdlab.core.transformation import GradientTransformation


class _Placed(NamedTuple):
    """The shape of a parameter, and how it lies on the devices."""

    shape: tuple[int, ...]
    sharding: Sharding


def state_sharding(tx: GradientTransformation, params_sharding: Tree) -> State:
    """The sharding of each array of a state, so that it lies as its parameter does.

    ``jax.jit(tx.init)`` does not know it, since zeros have none:
    ``jax.jit(tx.init, out_shardings=state_sharding(tx, params_sharding))`` does.

    What is kept for an array has its sharding; where a part keeps less, such as a mean over rows,
    the axes of another length are not split; what all arrays share is on every device.

    Args:
        tx: an optimizer.
        params_sharding: a tree of shardings like the parameters, or of arrays or
            ``jax.ShapeDtypeStruct`` that have one. Their shapes are needed where the structure of
            the state depends on the rank.

    Raises:
        TypeError: if a leaf is, or has, no sharding.

    >>> import jax, jax.numpy as jnp
    >>> from jax.sharding import NamedSharding, PartitionSpec
    >>> from gdlab import adam, state_sharding
    >>> by_rows = NamedSharding(jax.make_mesh((1,), ("rows",)), PartitionSpec("rows"))
    >>> sharding = state_sharding(adam(0.1), {"w": by_rows})
    >>> sharding.mu["w"].spec, sharding.mu_weight.spec
    (P('rows',), P())
    """
    is_leaf = lambda node: isinstance(node, Sharding)  # noqa: E731
    leaves, treedef = jax.tree.flatten(params_sharding, is_leaf=is_leaf)
    placed = [_placed(leaf) for leaf in leaves]
    shapes = [jax.ShapeDtypeStruct(one.shape, np.float32) for one in placed]
    return _of_node(tx.init(treedef.unflatten(shapes)), treedef, placed)


def _placed(leaf: Leaf) -> _Placed:
    if isinstance(leaf, Sharding):
        # Any shape will do whose axes can be split, and are told apart by their lengths.
        spec = leaf.spec if isinstance(leaf, NamedSharding) else ()
        return _Placed(tuple(len(leaf.device_set) * (axis + 2) for axis in range(len(spec))), leaf)
    sharding = getattr(leaf, "sharding", None)
    if sharding is None:
        raise TypeError(f"expected a sharding, or an array or a shape that has one, not {leaf!r}")
    return _Placed(leaf.shape, sharding)


def _of_node(node: Tree, params: TreeDef, placed: list[_Placed]) -> Value:
    """The shardings of a part of a state: a tree like the parameters, or something around them."""
    if not isinstance(node, State) and params != jax.tree.structure(0):
        try:
            below = params.flatten_up_to(node)
        except ValueError:
            pass
        else:
            return params.unflatten(map(_like_param, below, placed))
    children, treedef = jax.tree.flatten(node, is_leaf=lambda inner: inner is not node)
    if children == [node]:
        return _like_param(node, placed[0]) if params == jax.tree.structure(0) else _whole(placed)
    return treedef.unflatten([_of_node(child, params, placed) for child in children])


def _like_param(slot: Tree, param: _Placed) -> Tree:
    return jax.tree.map(lambda leaf: _cut(leaf.shape, param), slot)


def _cut(shape: tuple[int, ...], param: _Placed) -> Sharding:
    """The sharding of an array that has some of the axes of a parameter."""
    sharding = param.sharding
    if shape == param.shape or not isinstance(sharding, NamedSharding):
        return sharding
    axes = [*sharding.spec, *[None] * (len(param.shape) - len(sharding.spec))]
    extra = len(shape) - len(param.shape)
    if extra > 0 and shape[extra:] == param.shape:
        axes = [None] * extra + axes
    elif extra == 0:
        same = zip(axes, shape, param.shape, strict=True)
        axes = [axis if own == whole else None for axis, own, whole in same]
    else:
        axes = []
    return NamedSharding(sharding.mesh, PartitionSpec(*axes))


def _whole(placed: list[_Placed]) -> Sharding | None:
    """The sharding of an array that every device has as a whole."""
    for one in placed:
        if isinstance(one.sharding, NamedSharding):
            return NamedSharding(one.sharding.mesh, PartitionSpec())
    return placed[0].sharding if placed else None

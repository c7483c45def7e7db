"""The addition of updates to parameters."""

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.batches import in_batches
from gdlab.core.dispatch import MANY_LEAVES, compiled_for_few, runs_in_python
from gdlab.core.floating_leaves import require_floating
from gdlab.core.numerics import cast, is_array, widen
from gdlab.core.structure import DType, Leaf, Params, Updates, check_shapes, flatten, flatten_like


def apply_updates(params: Params, updates: Updates) -> Params:
    """Add updates to the parameters.

    wₜ₊₁ = wₜ + uₜ, summed in float32 at least and rounded once to the dtype of the parameter.

    Args:
        params: a tree of floating-point arrays. Leaves that are not arrays are kept as they are;
            so are arrays of integers, for which there may be no update.
        updates: a tree like ``params``; where it has ``None`` or ``float0``, the parameter is kept.

    Returns:
        The new parameters, with the structure, shapes and dtypes of ``params``.

    Raises:
        TypeError: if an update, or the parameter it is for, is an array of integers.
        ValueError: if the trees do not agree, naming the first path at which they differ.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates
    >>> apply_updates({"w": jnp.ones(2)}, {"w": jnp.array([0.5, -1.0])})
    {'w': Array([1.5, 0. ], dtype=float32)}
    """
    leaves, treedef = flatten(params)
    changes = flatten_like("updates", updates, "params", params, treedef)
    check_shapes("updates", updates, changes, "params", leaves)
    moving = [
        index
        for index, (leaf, change) in enumerate(zip(leaves, changes, strict=True))
        if is_array(leaf) and is_array(change)
    ]
    old, change = [leaves[index] for index in moving], [changes[index] for index in moving]
    require_floating("params with an update", params, old)
    require_floating("updates", updates, change)
    pairs = list(zip(old, change, strict=True))
    if len(moving) > MANY_LEAVES:
        new = in_batches(_compiled_sums, pairs)
    elif runs_in_python(change):
        new = _sums(pairs)
    else:
        new = _compiled_sums(pairs)
    for index, param in zip(moving, new, strict=True):
        leaves[index] = param
    return treedef.unflatten(leaves)


def _sum(param: Leaf, update: Leaf) -> jax.Array:
    wide = widen((param, update))
    dtype = _dtype_of_sum(*wide)
    return cast(jax.lax.add(*(cast(x, dtype) for x in wide)), jnp.result_type(param))


def _dtype_of_sum(param: Leaf, update: Leaf) -> DType:
    # Not left to JAX, which under jax_numpy_dtype_promotion="strict" refuses different dtypes.
    return np.promote_types(*(jnp.result_type(leaf) for leaf in (param, update)))


def _sums(pairs: list[tuple[Leaf, Leaf]]) -> list[jax.Array]:
    return [_sum(param, update) for param, update in pairs]


_compiled_sums = compiled_for_few(_sums)

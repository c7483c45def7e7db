"""Conversion of the states of optax's optimizers, in both directions."""

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Size
from gdlab.core.numerics import arrays_only
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Params, Tree, dotted
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.states.optax.correspondence import Array
from gdlab.interop.states.optax.entering import Import
from gdlab.interop.states.optax.flat import Flat, flat_arrays, flat_leaves
from gdlab.interop.states.optax.leaving import Export
from gdlab.interop.states.storage import in_formats_of, plain, within_storage


@checked
def from_optax(theirs: Tree, *, tx: GradientTransformation, params: Params) -> State:
    """The state with which ``tx`` continues the run of an optax optimizer.

    Args:
        theirs: the state of the same expression in optax: as optax made it; as Orbax or Flax
            restored it, with dictionaries and lists for named tuples; or as a flat dictionary
            from dotted paths, such as ``0.mu.kernel``, to arrays. optax need not be installed.
        tx: gdlab's optimizer, made by the same calls as optax's. ``inject_hyperparams`` around
            optax's needs no counterpart.
        params: the parameters at this point. For ``lookahead`` they are optax's pair of fast and
            slow ones.

    Raises:
        ValueError: if ``theirs`` belongs to another method or other parameters, has missing or
            surplus arrays, or arrays that cannot be converted; the message lists all the paths.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import gdlab
    >>> params = {"w": jnp.array([1.0, -2.0])}
    >>> theirs = optax.adam(0.1)
    >>> _, state = theirs.update(params, theirs.init(params))
    >>> carried = gdlab.interop.from_optax(state, tx=gdlab.adam(0.1), params=params)
    >>> carried.mu["w"], carried.names
    (Array([ 0.1, -0.2], dtype=float32), ('mu', 'nu', 'mu_weight', 'nu_weight'))
    """
    method = within_storage(tx)
    if method is not tx:
        return in_formats_of(tx, from_optax(theirs, tx=method, params=params), params)
    fast, slow = _fast_and_slow(params)
    like = tx.init(fast)
    return Import(tx, flat_arrays(theirs), like, flat_arrays(arrays_only(fast)), slow).state()


@checked
def to_optax(
    state: State, like: Tree | None, *, tx: GradientTransformation, count: Size | None = None
) -> Tree:
    """The state with which an optax optimizer continues the run of ``tx``.

    Args:
        state: the state of ``tx``.
        like: ``init(params)`` of optax's optimizer of the same expression, whose structure and
            dtypes the result has; or None for a flat dictionary from the dotted paths of optax's
            state to NumPy arrays, for which optax need not be installed.
        tx: gdlab's optimizer.
        count: the number of updates applied, if ``state`` does not determine it.

    Raises:
        ValueError: if ``like`` belongs to another method or other parameters, or arrays cannot be
            converted; the message lists all the paths.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import gdlab
    >>> params = {"w": jnp.array([1.0, -2.0])}
    >>> tx = gdlab.adam(0.1)
    >>> _, state = tx.update(params, tx.init(params))
    >>> gdlab.interop.to_optax(state, optax.adam(0.1).init(params), tx=tx)[0].count
    Array(1, dtype=int32)
    >>> list(gdlab.interop.to_optax(state, None, tx=tx))
    ['0.count', '0.mu.w', '0.nu.w']
    """
    if not all(hasattr(leaf, "size") for leaf in jax.tree.leaves(like)):
        raise TypeError(f"like must be a state of optax, a tree of arrays, not {like!r}")
    wanted = None if like is None else flat_leaves(like)
    made = Export(*plain(tx, state), wanted, count).arrays()
    if like is None:
        return made
    pairs, treedef = jax.tree_util.tree_flatten_with_path(like)
    leaves = [
        _as_leaf(made[dotted(path)], leaf) if dotted(path) in made else leaf for path, leaf in pairs
    ]
    return treedef.unflatten(leaves)


def _fast_and_slow(params: Params) -> tuple[Params, Flat | None]:
    """optax's pair of parameters for ``lookahead``, or the parameters and nothing."""
    if type(params).__name__ == "LookaheadParams":
        return params.fast, flat_arrays(params.slow)
    return params, None


def _as_leaf(array: Array, like: Leaf) -> jax.Array:
    return jnp.asarray(array.astype(like.dtype))

"""Trees of parameters as a vector space, and errors for trees that do not fit."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gdlab.checks.values import is_array_of_reals, shortened
from gdlab.core.numerics import cast, common_dtype, is_array
from gdlab.core.structure import (
    check_shapes,
    flatten,
    flatten_like,
    leaves_with_paths,
    path_of,
)
from gdlab.training.models import open_model


def in_one_dtype(params: Any) -> Any:
    """Cast all parameters to the widest of their dtypes, at least float32.

    Raises:
        TypeError: naming the path of a leaf that is not an array of real numbers.
        ValueError: if the parameters hold no number at all.
    """
    for path, leaf in leaves_with_paths(params):
        if leaf is None:
            continue
        kind = jnp.result_type(leaf) if is_array(leaf) else type(leaf).__name__
        if not is_array(leaf) or not jnp.issubdtype(kind, jnp.floating):
            raise TypeError(
                f"params at {path or 'the root'!r}: curvature is with respect to real "
                f"floating-point arrays, but this is {kind}; keep it out of params, in the loss"
            )
    if not sum(jnp.size(leaf) for leaf in jax.tree.leaves(params)):
        raise ValueError("params hold no numbers: there is no curvature to compute")
    dtype = common_dtype(map(jnp.asarray, jax.tree.leaves(params)))
    return jax.tree.map(lambda leaf: cast(leaf, dtype), params)


def as_vector(name: str, tree: Any, params: Any) -> Any:
    """``tree`` in the dtype of ``params``, whose structure and shapes it must have.

    Raises:
        TypeError: if it holds something else than real numbers.
        ValueError: naming the first path at which they differ.
    """
    tree = open_model(tree).params
    require_like(name, tree, "params", params)
    return jax.tree.map(lambda leaf, other: cast(leaf, other.dtype), tree, params)


def require_like(name: str, tree: Any, expected: str, like: Any) -> None:
    """Refuse a tree that lacks the structure and shapes of another one, or is not real.

    Raises:
        TypeError: if it holds something else than real numbers.
        ValueError: naming the first path at which they differ.
    """
    others, treedef = flatten(like)
    leaves = flatten_like(name, tree, expected, like, treedef)
    for index, (leaf, other) in enumerate(zip(leaves, others, strict=True)):
        if not (is_array_of_reals(leaf) or leaf is other is None):
            raise TypeError(
                f"{name} must be a tree of real numbers, but at {path_of(like, index)} it has "
                f"{shortened(leaf)}"
            )
    check_shapes(name, tree, leaves, expected, others)


def number_of_parameters(params: Any) -> int:
    """The dimension of the space."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def machine_precision(params: Any) -> float:
    """The distance from 1 to the next number in the dtype of ``in_one_dtype(params)``."""
    return float(jnp.finfo(jax.tree.leaves(params)[0].dtype).eps)


def require_finite(tree: Any, what: str) -> None:
    """Refuse NaN and infinity in concrete values; traced values are not checked.

    Raises:
        ValueError: with ``what`` as the subject of the message.
    """
    leaves = jax.tree.leaves(tree)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in leaves):
        raise ValueError(
            f"{what} is not finite at these parameters: the loss is NaN there, overflows, or has "
            "no second derivative"
        )

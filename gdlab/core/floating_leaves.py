"""Refusals of integers and texts where gradient descent needs floating-point numbers."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.numerics import dtypes_of, is_array
from gdlab.core.structure import Leaf, Tree, flatten, leaves_with_paths


def require_some_floating(params: Tree) -> None:
    """Refuse parameters whose leaves are all arrays of integers or truth values.

    Some arrays may be of integers, such as the counters of a module, which have no gradient. A tree
    with gaps may be one group of a partition, such as the group of these counters; where it has no
    leaves is ``None`` or, in optax, an empty tuple.

    Raises:
        TypeError: naming the first of the arrays.
    """
    leaves, _ = flatten(params)
    is_whole = leaves and all(map(is_array, leaves))
    if is_whole and not any(map(_is_floating, dtypes_of(leaves))) and not _has_gap(params):
        raise _integers("params", params, leaves[0])


def require_floating(name: str, tree: Tree, leaves: list[Leaf]) -> None:
    """Refuse a tree that has an array of integers or truth values.

    Args:
        name: the name of the tree in the message.
        tree: a tree of arrays.
        leaves: the arrays of ``tree``.

    Raises:
        TypeError: if there is such an array, naming the path of the first one.
    """
    if not all(map(_is_floating, dtypes_of(leaves))):
        wrong = next(leaf for leaf in leaves if not _is_floating(jnp.result_type(leaf)))
        raise _integers(name, tree, wrong)


def require_no_text(name: str, tree: Tree) -> None:
    """Refuse a tree that has a string as a leaf.

    Other leaves that are not arrays, such as functions, stand for parameters that are not trained;
    a string there is a mistake.

    Raises:
        TypeError: if there is a string, naming the path of the first one.
    """
    for path, leaf in leaves_with_paths(tree):
        if isinstance(leaf, str | bytes):
            raise TypeError(f"{name} must be arrays, but at {path or 'the root'!r} is {leaf!r}")


def _has_gap(tree: Tree) -> bool:
    """Tell whether a part of a tree has no leaves."""
    is_gap = lambda node: not jax.tree.leaves(node)  # noqa: E731
    return any(map(is_gap, jax.tree.leaves(tree, is_leaf=is_gap)))


@functools.cache
def _is_floating(dtype: Any) -> bool:
    """Tell whether a dtype, or the type of a Python number, is floating-point or complex."""
    return jnp.issubdtype(dtype, jnp.inexact)


def _integers(name: str, tree: Tree, wrong: Leaf) -> TypeError:
    path = next(path for path, leaf in leaves_with_paths(tree) if leaf is wrong)
    return TypeError(
        f"{name} must be floating-point numbers, but those at {path or 'the root'!r} are "
        f"{jnp.result_type(wrong).name}: write 1.0 instead of 1, or None where nothing is trained"
    )

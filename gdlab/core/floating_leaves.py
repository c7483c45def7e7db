"""Refusals of integers and texts where gradient descent needs floating-point numbers."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.numerics import dtypes_of, is_array
from gdlab.core.structure import Leaf, Tree, leaves_with_paths


def require_some_floating(params: Tree) -> None:
    """Refuse parameters whose arrays are all of integers or truth values.

    Some may be: a module has counters beside its weights, and ``jax.grad`` gives them none.

    Raises:
        TypeError: naming the first of them.
    """
    leaves = [leaf for leaf in jax.tree.leaves(params) if is_array(leaf)]
    if leaves and not any(map(_is_floating, dtypes_of(leaves))):
        raise _integers("params", params, leaves[0])


def require_floating(name: str, tree: Tree, leaves: list[Leaf]) -> None:
    """Refuse a tree that has an array of integers or truth values.

    Args:
        name: what the tree is called in a message.
        tree: a tree of arrays.
        leaves: its arrays.

    Raises:
        TypeError: naming the first such array by its path.
    """
    if not all(map(_is_floating, dtypes_of(leaves))):
        wrong = next(leaf for leaf in leaves if not _is_floating(jnp.result_type(leaf)))
        raise _integers(name, tree, wrong)


def require_no_text(name: str, tree: Tree) -> None:
    """Refuse a tree with a text, which cannot be what is left where nothing is trained.

    Raises:
        TypeError: naming the first text by its path.
    """
    for path, leaf in leaves_with_paths(tree):
        if isinstance(leaf, str | bytes):
            raise TypeError(f"{name} must be arrays, but at {path or 'the root'!r} is {leaf!r}")


@functools.cache
def _is_floating(dtype: Any) -> bool:
    """Tell whether a dtype, or the type of a Python number, is of real or complex fractions."""
    return jnp.issubdtype(dtype, jnp.inexact)


def _integers(name: str, tree: Tree, wrong: Leaf) -> TypeError:
    path = next(path for path, leaf in leaves_with_paths(tree) if leaf is wrong)
    return TypeError(
        f"{name} must be floating-point numbers, but those at {path or 'the root'!r} are "
        f"{jnp.result_type(wrong).name}: write 1.0 instead of 1, or None where nothing is trained"
    )

"""Trees of parameters: their paths, their leaves, and what to say when two do not agree."""

import re
from collections.abc import Iterable
from typing import Any

import jax


def is_none(value: Any) -> bool:
    """Whether a node is None, which is a leaf here so that every position has one."""
    return value is None


def stands_for_one(value: Any) -> bool:
    """Whether a node of a tree stands for one number or one part, such as a schedule."""
    return hasattr(value, "_stands_for_one")


def dotted(path: Any) -> str:
    """A tree path as text, such as ``encoder.0.kernel``."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def leaves_with_paths(tree: Any) -> list[tuple[str, Any]]:
    """Dotted path and leaf, ``None`` leaves included."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_none)
    return [(dotted(path), leaf) for path, leaf in pairs]


def require_matches(name: str, patterns: Iterable[str], paths: list[str]) -> None:
    """Refuse a pattern that no path contains: it is a typing mistake.

    Raises:
        ValueError: naming the first such pattern.
    """
    for pattern in patterns:
        if not any(re.search(pattern, path) for path in paths):
            raise ValueError(f"{name}: pattern {pattern!r} matches none of the paths {paths}")


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Leaves and structure, with ``None`` as a leaf, so that every position has one."""
    return jax.tree.flatten(tree, is_leaf=is_none)


def flatten_like(name: str, tree: Any, expected: str, treedef: Any) -> list[Any]:
    """The leaves of ``tree``, which must have the structure ``treedef`` of ``expected``.

    Raises:
        ValueError: naming the first path at which they differ.
    """
    leaves, own = flatten(tree)
    if own != treedef:
        other = treedef.unflatten(range(treedef.num_leaves))
        raise ValueError(
            f"{name} and {expected} differ in structure: "
            f"{_first_difference(name, tree, expected, other)}"
        )
    return leaves


def check_shapes(name: str, tree: Any, leaves: list[Any], expected: str, others: list[Any]) -> None:
    """Refuse arrays that would be broadcast against each other.

    Raises:
        ValueError: naming the first path at which the shapes differ.
    """
    for index, (leaf, other) in enumerate(zip(leaves, others, strict=True)):
        own, wanted = getattr(leaf, "shape", None), getattr(other, "shape", None)
        if own != wanted and own is not None and wanted is not None:
            path, _ = leaves_with_paths(tree)[index]
            raise ValueError(
                f"{name} and {expected} differ in shape at {path or 'the root'!r}: "
                f"{own} and {wanted}"
            )


def spread(name: str, prefix: Any, tree: Any) -> list[Any]:
    """The leaf of ``prefix`` that stands for each leaf of ``tree``, in order.

    Raises:
        ValueError: if ``prefix`` is not a prefix of ``tree``.
    """
    # A schedule given for a leaf is one value, though it is a tree itself.
    is_leaf = lambda node: node is None or stands_for_one(node)  # noqa: E731
    try:
        full = jax.tree.broadcast(prefix, tree, is_leaf=is_leaf)
    except ValueError as error:
        raise ValueError(f"{name} is not a prefix of the parameters' tree: {error}") from None
    return jax.tree.leaves(full, is_leaf=is_leaf)


def _first_difference(name: str, tree: Any, expected: str, other: Any) -> str:
    ours, theirs = (dict(leaves_with_paths(t)) for t in (tree, other))
    for path in theirs:
        if path not in ours:
            return f"{expected} have a leaf at {path or 'the root'!r} where {name} have none"
    for path in ours:
        if path not in theirs:
            return f"{name} have a leaf at {path or 'the root'!r} where {expected} have none"
    return (
        f"the paths agree but the containers do not: {name} are {jax.tree.structure(tree)}, "
        f"{expected} are {jax.tree.structure(other)}"
    )

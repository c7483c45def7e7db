"""Trees of parameters: their types and paths, and errors for trees that do not match."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

import jax
from jax.typing import DTypeLike

T = TypeVar("T")

Tree: TypeAlias = Any
"""A pytree; Python's types cannot express its leaves."""
Params: TypeAlias = Tree
"""A pytree of parameters."""
Updates: TypeAlias = Tree
"""A pytree like the parameters: gradients, or updates computed from them."""
Leaf: TypeAlias = Any
"""A leaf of a pytree: an array, or something that does not take part in the arithmetic."""
Signal: TypeAlias = Any
"""The signal between two rules for one array: an array, or a tuple of arrays on a bus."""
Path: TypeAlias = tuple[Any, ...]
"""The keys that lead to a node of a pytree."""
DType: TypeAlias = DTypeLike
"""A dtype in any notation: ``jnp.float32``, ``np.dtype("float32")``, ``"float32"``."""
Number: TypeAlias = float | jax.Array
"""A number, or an array of them in a sweep."""
Value: TypeAlias = Any
"""An argument of a factory, as a user writes it or as it is stored."""
Arguments: TypeAlias = Mapping[str, Value]
"""Arguments by the names of their parameters."""
Context: TypeAlias = Any
"""The values that a rule for one array computes from its shared scalars, once a step."""
TreeDef: TypeAlias = Any
"""The structure of a pytree, a ``jax.tree_util.PyTreeDef``."""
Function: TypeAlias = Callable[..., Any]
"""A function with any signature."""
Extra: TypeAlias = Mapping[str, Value]
"""The extra arguments of a step by name: the value, the gradient, a key, functions."""


class Argument:
    """Base class of pytrees that are a single argument of a factory, such as a schedule or axis."""

    __slots__ = ()


def is_argument(node: object) -> bool:
    """Tell whether a node of a tree is one argument, such as a schedule or a transformation."""
    return isinstance(node, Argument)


def is_none(node: object) -> bool:
    """Tell whether a node is None, which is a leaf here so that every position has one."""
    return node is None


def is_container(value: Tree) -> bool:
    """Tell whether a value is a pytree with children; it may also be callable."""
    return not jax.tree_util.all_leaves([value])


def dotted(path: Path) -> str:
    """A tree path as text, such as ``encoder.0.kernel``."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def leaves_with_paths(tree: Tree) -> list[tuple[str, Leaf]]:
    """Dotted path and leaf, ``None`` leaves included."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_none)
    return [(dotted(path), leaf) for path, leaf in pairs]


def map_arrays(function: Function, tree: Tree, *rest: Tree) -> Tree:
    """``jax.tree.map`` in which a position with ``None`` in any of the trees gives ``None``."""

    def at(*leaves: Leaf) -> Leaf:
        return None if any(leaf is None for leaf in leaves) else function(*leaves)

    return jax.tree.map(at, tree, *rest, is_leaf=is_none)


def path_of(tree: Tree, index: int) -> str:
    """The path of a leaf of ``tree`` as text for a message."""
    return repr(leaves_with_paths(tree)[index][0] or "the root")


def require_matches(name: str, patterns: Iterable[str], paths: list[str]) -> None:
    """Raise if a pattern is found in none of the paths, since it is probably a typing mistake.

    Raises:
        ValueError: naming the first such pattern.
    """
    for pattern in patterns:
        if not any(re.search(pattern, path) for path in paths):
            raise ValueError(f"{name}: pattern {pattern!r} matches none of the paths {paths}")


def flatten(tree: Tree) -> tuple[list[Leaf], TreeDef]:
    """Leaves and structure, with ``None`` as a leaf, so that every position has one."""
    return jax.tree.flatten(tree, is_leaf=is_none)


def flatten_like(
    name: str, tree: Tree, expected: str, like: Tree, treedef: TreeDef | None = None
) -> list[Leaf]:
    """The leaves of ``tree``, which must have the structure of ``like``.

    Args:
        name: the name of ``tree`` in messages.
        tree: a pytree.
        expected: the name of ``like`` in messages.
        like: a pytree.
        treedef: the structure of ``like``, if known.

    Raises:
        ValueError: naming the first path at which they differ.
    """
    leaves, own = flatten(tree)
    if own != (flatten(like)[1] if treedef is None else treedef):
        raise ValueError(
            f"{name} and {expected} differ in structure: "
            f"{_first_difference(name, tree, expected, like)}"
        )
    return leaves


def flatten_up_to(name: str, tree: Tree, expected: str, like: Tree, treedef: TreeDef) -> list[Tree]:
    """The subtree of ``tree`` at each leaf of ``like``.

    Raises:
        ValueError: naming the first path at which they differ.
    """
    try:
        return treedef.flatten_up_to(tree)
    except ValueError:
        ours, theirs = (dict(leaves_with_paths(t)) for t in (tree, like))
        for path in theirs:
            if not any(_is_below(own, path) for own in ours):
                raise ValueError(_has_none(expected, path, name)) from None
        for path in ours:
            if not any(_is_below(path, other) for other in theirs):
                raise ValueError(_has_none(name, path, expected)) from None
        raise ValueError(_containers_differ(name, tree, expected, like)) from None


def _is_below(path: str, ancestor: str) -> bool:
    return path == ancestor or ancestor == "" or path.startswith(ancestor + ".")


def check_shapes(
    name: str, tree: Tree, leaves: list[Leaf], expected: str, others: list[Leaf]
) -> None:
    """Raise if arrays differ in shape, and so would be broadcast against each other.

    Raises:
        ValueError: naming the first path at which the shapes differ.
        TypeError: naming the first path at which something else stands for an array.
    """
    for index, (leaf, other) in enumerate(zip(leaves, others, strict=True)):
        own, wanted = getattr(leaf, "shape", None), getattr(other, "shape", None)
        if own == wanted:
            continue
        own, wanted = _shape(leaf), _shape(other)
        if own != wanted and own is not None and wanted is not None:
            raise ValueError(
                f"{name} and {expected} differ in shape at {path_of(tree, index)}: "
                f"{own} and {wanted}"
            )
        if own is None and wanted is not None and leaf is not None:
            raise TypeError(
                f"{name} must have an array at {path_of(tree, index)}, as {expected} have, not "
                f"{leaf!r}"
            )


def _shape(leaf: Leaf) -> tuple[int, ...] | None:
    """The shape of an array or of a Python number; None for other values."""
    return () if isinstance(leaf, int | float | complex) else getattr(leaf, "shape", None)


def spread(name: str, prefix: Tree, tree: Tree) -> list[Leaf]:
    """The leaf of ``prefix`` for each leaf of ``tree``, in order.

    Raises:
        ValueError: if ``prefix`` is not a prefix of ``tree``.
    """
    # A schedule given for a leaf is one value, though it is a tree itself.
    values, treedef = jax.tree.flatten(prefix, is_leaf=lambda x: x is None or is_argument(x))
    try:
        below = treedef.flatten_up_to(tree)
    except ValueError as error:
        raise ValueError(f"{name} is not a prefix of the parameters' tree: {error}") from None
    return [
        value
        for value, part in zip(values, below, strict=True)
        for _ in range(len(flatten(part)[0]))
    ]


def _first_difference(name: str, tree: Tree, expected: str, other: Tree) -> str:
    ours, theirs = (dict(leaves_with_paths(t)) for t in (tree, other))
    for path in theirs:
        if path not in ours:
            return _has_none(expected, path, name)
    for path in ours:
        if path not in theirs:
            return _has_none(name, path, expected)
    return _containers_differ(name, tree, expected, other)


def _has_none(one: str, path: str, other: str) -> str:
    return f"{one} have a leaf at {path or 'the root'!r} where {other} have none"


def _containers_differ(name: str, tree: Tree, expected: str, other: Tree) -> str:
    return (
        f"the paths agree but the containers do not: {name} are {jax.tree.structure(tree)}, "
        f"{expected} are {jax.tree.structure(other)}"
    )


class Named(Generic[T]):
    """A pytree of values by name that keeps their order, which a dictionary's leaves do not."""

    __slots__ = ("by_name",)

    def __init__(self, pairs: Iterable[tuple[str, T]]):
        self.by_name: dict[str, T] = dict(pairs)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self.by_name.items())

    def __getitem__(self, name: str) -> T:
        return self.by_name[name]

    def __len__(self) -> int:
        return len(self.by_name)

    def __repr__(self) -> str:
        return repr(self.by_name)


jax.tree_util.register_pytree_with_keys(
    Named,
    lambda named: (
        [(jax.tree_util.DictKey(name), value) for name, value in named],
        tuple(named.by_name),
    ),
    lambda names, values: Named(zip(names, values, strict=True)),
)

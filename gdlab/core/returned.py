"""Checks of trees that users' functions return, against a tree that they must be like."""

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_numbers
from gdlab.core.structure import (
    Function,
    Leaf,
    Params,
    Tree,
    check_shapes,
    flatten,
    flatten_like,
    path_of,
)


def require_arrays(name: str, tree: Tree, expected: str, like: Tree) -> Tree:
    """Return a tree if it has an array wherever ``like`` has one.

    Args:
        name: the name of ``tree`` in messages.
        tree: the return value of a user's function.
        expected: the name of ``like`` in messages.
        like: the tree whose structure ``tree`` must have.

    Raises:
        TypeError: if ``tree`` has a leaf that is not an array where ``like`` has an array.
        ValueError: if the trees differ in structure.
    """
    _pairs(name, tree, expected, like)
    return tree


def require_arrays_like(name: str, tree: Tree, expected: str, like: Tree) -> Tree:
    """Return a tree if it has an array of the same shape wherever ``like`` has an array.

    Args:
        name: the name of ``tree`` in messages.
        tree: the return value of a user's function.
        expected: the name of ``like`` in messages.
        like: the tree whose structure and shapes ``tree`` must have.

    Raises:
        TypeError: if ``tree`` has a leaf that is not an array where ``like`` has an array.
        ValueError: if the trees differ in structure or in a shape.
    """
    check_shapes(name, tree, *_pairs(name, tree, expected, like))
    return tree


def gradient_at_params(grad_fn: Function, params: Params) -> Tree:
    """The gradient ``grad_fn(params)``, checked to be like the parameters.

    Raises:
        TypeError: if ``grad_fn`` cannot be called with the parameters alone, or returns leaves that
            are not arrays.
        ValueError: if the gradient differs from the parameters in structure or in a shape.
    """
    gradient = called_as("grad_fn(params)", grad_fn, params)
    return require_arrays_like("what grad_fn returns", gradient, "params", params)


def _pairs(name: str, tree: Tree, expected: str, like: Tree) -> tuple[list[Leaf], str, list[Leaf]]:
    leaves, others = flatten_like(name, tree, expected, like), flatten(like)[0]
    for index, (leaf, other) in enumerate(zip(leaves, others, strict=True)):
        if is_array_of_numbers(other) and not is_array_of_numbers(leaf):
            raise TypeError(
                f"{name} must be an array at {path_of(like, index)}, as {expected} are, not "
                f"{leaf!r}"
            )
    return leaves, expected, others

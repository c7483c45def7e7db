"""Trees that functions of users return, which have to be like others."""

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
    """A tree that a user's function made, with an array wherever another tree has one.

    Args:
        name: what ``tree`` is called in a message.
        tree: what the function returned.
        expected: what ``like`` is called.
        like: the tree whose structure it must have.

    Raises:
        TypeError: if there is something else in the place of an array.
        ValueError: if it differs in structure.
    """
    _pairs(name, tree, expected, like)
    return tree


def require_arrays_like(name: str, tree: Tree, expected: str, like: Tree) -> Tree:
    """A tree that a user's function made, with an array of the right shape wherever one has to be.

    Args:
        name: what ``tree`` is called in a message.
        tree: what the function returned.
        expected: what ``like`` is called.
        like: the tree whose structure and shapes it must have.

    Raises:
        TypeError: if there is something else in the place of an array.
        ValueError: if it differs in structure or in a shape.
    """
    check_shapes(name, tree, *_pairs(name, tree, expected, like))
    return tree


def gradient_at_params(grad_fn: Function, params: Params) -> Tree:
    """The gradient that the keyword ``grad_fn`` of an update gives at some parameters.

    Raises:
        TypeError: if it does not take the parameters alone, or returns something else than arrays.
        ValueError: if they are not like the parameters.
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

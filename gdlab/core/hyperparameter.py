"""Hyperparameters: what may stand where a transformation wants a number."""

import numbers
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.annotations import Data
from gdlab.core.axis import Axis
from gdlab.core.parametrized import Parametrized
from gdlab.core.representation import represent
from gdlab.core.schedule import Schedule, schedule


class PerLeaf:
    """A tree of numbers: one for each leaf, or for each subtree, of the parameters."""

    __slots__ = ("tree",)

    def __init__(self, tree: Any):
        self.tree = tree

    def unwrap(self) -> Any:
        """The tree, as an author's function gets it."""
        return self.tree

    def __repr__(self) -> str:
        return represent(self.tree)


def _children_with_keys(value: PerLeaf) -> tuple[Any, Any]:
    # One level of the user's own tree, so that paths read `learning_rate.encoder`.
    pairs, treedef = jax.tree_util.tree_flatten_with_path(
        value.tree, is_leaf=lambda node: node is not value.tree
    )
    return [(path[0], child) for path, child in pairs], treedef


jax.tree_util.register_pytree_with_keys(
    PerLeaf,
    _children_with_keys,
    lambda treedef, children: PerLeaf(treedef.unflatten(children)),
)


def as_hyperparameter(value: Any) -> Any:
    """A user's value in the form in which it is stored, such as a float or a schedule."""
    if isinstance(value, Schedule | Axis | PerLeaf | jax.Array):
        return value
    if isinstance(value, bool | np.bool_ | str | bytes | Parametrized) or value is None:
        raise TypeError(f"expected a number, an array, a schedule or an Axis, not {value!r}")
    if isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and value.ndim == 0):
        # A Python float is weakly typed: it takes the dtype of the parameters, and a strongly
        # typed scalar in its place would be compiled for anew.
        return float(value)
    if isinstance(value, np.ndarray):
        return jnp.asarray(value)
    if callable(value):
        return Schedule.convert(value)
    children, _ = jax.tree.flatten(value, is_leaf=lambda node: node is not value)
    if any(child is value for child in children):
        raise TypeError(f"expected a number, an array, a schedule or an Axis, not {value!r}")
    is_one = lambda node: isinstance(node, Schedule | Axis)  # noqa: E731
    tree = jax.tree.map(as_hyperparameter, value, is_leaf=is_one)
    if any(isinstance(node, Schedule) for node in jax.tree.leaves(tree, is_leaf=is_one)):
        # All of them, so that every leaf of the parameters has the same kind of state.
        to_schedule = lambda node: node if is_one(node) else constant_schedule(node)  # noqa: E731
        tree = jax.tree.map(to_schedule, tree, is_leaf=is_one)
    return PerLeaf(tree)


Hyperparameter = Annotated[Any, Data(as_hyperparameter, number=True)]
"""Annotation of a parameter that is a number and therefore a leaf of the optimizer.

Its values are Python numbers, arrays, schedules, axes, or a tree of one for each leaf of the
parameters.
"""


@schedule
def constant_schedule(value: Hyperparameter) -> Any:
    """The same value at every step.

    η(t) = value

    >>> from gdlab import constant_schedule
    >>> constant_schedule(0.1)(7)
    Array(0.1, dtype=float32)
    """
    return lambda _: value


def array(values: Any, dtype: str) -> jax.Array:
    """An array as ``repr`` writes it, so that ``eval(repr(tx))`` rebuilds an optimizer.

    >>> from gdlab import array
    >>> array([0.1, 0.2], "float32")
    Array([0.1, 0.2], dtype=float32)
    """
    return jnp.asarray(values, dtype=dtype)

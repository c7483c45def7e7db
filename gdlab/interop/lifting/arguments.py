"""The arguments of a foreign factory as stored: numbers as leaves, the rest as constants."""

import jax
import numpy as np
from jax.core import Tracer

from gdlab.core.axis import Axis
from gdlab.core.by_leaf import ByLeaf
from gdlab.core.hyperparameter import as_hyperparameter
from gdlab.core.representation import represent
from gdlab.core.schedule import Schedule
from gdlab.core.static import Static
from gdlab.core.structure import Value, is_argument, is_container
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.lifting.roles import Role, is_inexact


class Constant:
    """A structural value in place of a number: a pytree node without leaves."""

    __slots__ = ("held", "structure")

    def __init__(self, value: Value):
        self.structure: Static = Static({"value": value})
        copied = self.structure.values["value"]
        # A dtype is compared by its name, but passed on as the user wrote it.
        self.held: Value = value if isinstance(copied, str) else copied

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.structure == other.structure

    def __hash__(self) -> int:
        return hash(self.structure)

    def __repr__(self) -> str:
        return represent(self.structure.values["value"])


jax.tree_util.register_pytree_node(Constant, lambda node: ((), node), lambda node, _: node)


def held(value: Value) -> Value:
    """An argument with its constants replaced by the values that they hold."""
    is_one = lambda node: isinstance(node, Constant) or is_argument(node)  # noqa: E731
    unwrapped = lambda node: node.held if isinstance(node, Constant) else node  # noqa: E731
    return jax.tree.map(unwrapped, value, is_leaf=is_one)


def as_argument(value: Value, role: Role) -> Value:
    """A user's argument as stored: numbers and transformations unchanged, the rest as constants."""
    if value is None or isinstance(value, Constant):
        return value
    if role.is_structure:
        return _constant(value)
    if isinstance(value, GradientTransformation | ByLeaf):
        return value
    if _is_number(value, role):
        number = as_hyperparameter(value)
        return _whole(number) if role.is_integer else number
    if not is_container(value) or is_pair(value):
        return Constant(value)
    is_one = lambda node: is_argument(node) or isinstance(node, Constant) or is_pair(node)  # noqa: E731
    nodes = jax.tree.leaves(value, is_leaf=is_one)
    if any(is_argument(node) or _is_number(node, role) for node in nodes):
        return jax.tree.map(lambda node: as_argument(node, role), value, is_leaf=is_one)
    return Constant(value)


def _constant(value: Value) -> Constant:
    for node in jax.tree.leaves(value, is_leaf=is_argument):
        if is_argument(node):
            raise TypeError(
                f"it is structure, which is compiled in, and cannot be {node!r}; make an optimizer "
                "for each of its values"
            )
    return Constant(value)


def _is_number(value: object, role: Role) -> bool:
    if isinstance(value, Schedule | Axis | Tracer):
        return True
    if isinstance(value, bool | np.bool_ | str | bytes | type | np.dtype):
        return False
    if is_inexact(value):
        return not role.is_integer or isinstance(value, jax.Array)
    if isinstance(value, int | np.integer):
        return role.takes_integers
    return role.takes_schedules and callable(value) and not is_pair(value)


def _whole(number: Value) -> Value:
    """Check that a number for an integer parameter is whole."""
    values = number.values if isinstance(number, Axis) else number
    if not isinstance(values, Schedule | Tracer) and np.any(np.asarray(values) % 1):
        raise ValueError(
            f"expected integers, not {number!r}; with numbers=(…) lift takes fractions there"
        )
    return number


def is_pair(value: object) -> bool:
    """Tell whether a value has the two functions of a transformation."""
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))

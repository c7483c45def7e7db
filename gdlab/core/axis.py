"""Axes: where a number would stand, all the values that a sweep is to try."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.representation import represent


class Axis:
    """A named list of values, placed where a number would stand, for :func:`gdlab.sweep` to try.

    Args:
        name: the name of the dimension in the sweep's result.
        values: the values along it, an array of shape ``(n,)`` or a sequence of numbers.

    Raises:
        ValueError: unless ``values`` is one-dimensional and not empty.

    >>> from gdlab import Axis, adam
    >>> adam(Axis("learning_rate", [1e-3, 1e-2]))
    adam(Axis('learning_rate', array([0.001, 0.01], 'float32')))
    """

    __slots__ = ("name", "values")
    _stands_for_one = True

    def __init__(self, name: str, values: Sequence[float] | jax.Array):
        if not isinstance(name, str) or not name:
            raise TypeError(f"an Axis needs a name, a non-empty string, not {name!r}")
        self.name = name
        self.values = jnp.asarray(values, dtype=float)
        if self.values.ndim != 1 or self.values.size == 0:
            raise ValueError(
                f"Axis {name!r}: values must be a one-dimensional, non-empty list of numbers, "
                f"not of shape {self.values.shape}"
            )

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Axis({self.name!r}, {represent(self.values)})"


def _flatten(axis: Axis) -> tuple[tuple[Any, ...], str]:
    return (axis.values,), axis.name


def _unflatten(name: str, children: Iterable[Any]) -> Axis:
    axis = object.__new__(Axis)
    axis.name, (axis.values,) = name, children
    return axis


jax.tree_util.register_pytree_with_keys(
    Axis,
    lambda axis: (((jax.tree_util.GetAttrKey("values"), axis.values),), axis.name),
    _unflatten,
    _flatten,
)


def is_axis(value: Any) -> bool:
    """Whether a node of a tree is an axis."""
    return isinstance(value, Axis)

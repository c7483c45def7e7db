"""A cache of values that depend only on structure, shapes and dtypes."""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp

from gdlab.devices.weak_keys import weak_key

T = TypeVar("T")
MOST_KINDS = 256
"""The largest number of entries; the oldest are dropped."""


class ShapeCache(Generic[T]):
    """A cache of values by the structure, shapes and dtypes of arguments.

    It does not keep users' functions, or values that they close over, alive.
    """

    def __init__(self) -> None:
        self._values: dict[Hashable, T] = {}

    def get(self, static: Hashable, arguments: Any, compute: Callable[[], T]) -> T:
        """The cached value for such arguments, computed if there is none.

        Args:
            static: the part of the key that is compared by value; functions in it are
                :class:`ByIdentity`.
            arguments: a tree of arrays, numbers or ``jax.ShapeDtypeStruct``, compared by structure,
                shapes and dtypes.
            compute: a function that returns the value.
        """
        leaves, structure = jax.tree.flatten(arguments)
        kinds = tuple(_kind(leaf) for leaf in leaves)
        key = weak_key(static), structure, kinds, jnp.result_type(float)
        if key not in self._values:
            value = compute()
            if len(self._values) >= MOST_KINDS:
                self._values.pop(next(iter(self._values)))
            self._values[key] = value
        return self._values[key]


def _kind(leaf: Any) -> tuple[Any, ...]:
    if hasattr(leaf, "dtype"):
        return leaf.shape, leaf.dtype, getattr(leaf, "weak_type", False)
    return (), jnp.result_type(leaf), True

"""Static structure, as opposed to data: values that JAX must be able to hash and compare."""

from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Static:
    """A hashable container of named static values.

    Equality also compares types, since ``True == 1 == 1.0`` would otherwise share a compilation.
    Arrays and containers (masks, labels) are copied, so that a later change to the user's object
    cannot make the compiled program stale. A dtype is stored by name, so that all ways of writing
    it are equal.
    """

    __slots__ = ("_hash", "_key", "values")

    def __init__(self, values: Mapping[str, Any]):
        self.values: dict[str, Any] = {name: _copy(value) for name, value in values.items()}
        self._key = _key(self.values)
        self._hash = hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Static) and self._key == other._key)

    def __reduce__(self) -> tuple[Any, ...]:
        # The hash is not pickled, since another process hashes strings differently.
        return Static, (self.values,)

    def __repr__(self) -> str:
        return f"Static({self.values!r})"


def _copy(value: Any) -> Any:
    if _is_plain(value):
        return value
    if _is_dtype(value):
        return np.dtype(value).name
    return jax.tree.map(
        lambda leaf: np.array(leaf) if isinstance(leaf, np.ndarray) else leaf, value
    )


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | str)


def _is_dtype(value: object) -> bool:
    if isinstance(value, np.dtype):
        return True
    # NumPy's scalar types, and JAX's, which are not among NumPy's.
    return isinstance(value, type) and (
        issubclass(value, np.generic) or isinstance(getattr(value, "dtype", None), np.dtype)
    )


def _key(value: Any) -> Hashable:
    if _is_plain(value):
        return type(value), value
    if isinstance(value, dict):
        return dict, tuple((name, _key(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return type(value), tuple(_key(item) for item in value)
    if isinstance(value, np.ndarray | jax.Array):
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return str(value.dtype), _key(jax.random.key_data(value))
        array = np.asarray(value)
        return np.ndarray, array.dtype.str, array.shape, array.tobytes()
    leaves, treedef = jax.tree.flatten(value)
    if not (leaves and leaves[0] is value):
        return treedef, tuple(_key(leaf) for leaf in leaves)
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"{value!r} is structure, so it must be hashable or a pytree of such"
        ) from None
    return type(value), value

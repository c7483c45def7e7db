"""Transfers of trees of arrays between devices and the host."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def to_host(tree: Any) -> Any:
    """NumPy arrays of the same bits; typed PRNG keys become their data."""
    return jax.device_get(jax.tree.map(_key_data, tree))


def shape_on_host(tree: Any) -> Any:
    """The shapes and dtypes of the result of :func:`to_host`."""
    return jax.eval_shape(lambda tree: jax.tree.map(_key_data, tree), tree)


def zeros_like(tree: Any) -> Any:
    """NumPy arrays of zeros with the shapes and dtypes of a tree."""
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), tree)


def to_devices(tree: Any, like: Any) -> Any:
    """Turn the result of :func:`to_host` into arrays on the devices, in the dtypes of ``like``.

    Args:
        tree: the arrays on the host.
        like: the shapes and dtypes of the result, with shardings unless arrays belong on the
            default device.
    """

    def of_leaf(leaf: Any, kind: Any) -> Any:
        sharding = kind.sharding
        array = jnp.asarray(leaf) if sharding is None else jax.device_put(leaf, sharding)
        return as_keys(array, kind) if is_key(kind) else array

    return jax.tree.map(of_leaf, tree, like)


def as_keys(data: Any, like: Any) -> jax.Array:
    """Typed PRNG keys from their data, with the implementation of ``like``."""
    # Only an array, not a shape, knows its key implementation.
    impl = jax.random.key_impl(jnp.empty((), like.dtype))
    return jax.random.wrap_key_data(jnp.asarray(data), impl=impl)


def _key_data(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def is_key(leaf: Any) -> bool:
    """Tell whether an array, or a shape, has typed PRNG keys."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def key_implementation(leaf: Any) -> str | None:
    """The implementation of typed PRNG keys, None for anything else."""
    return str(jax.random.key_impl(leaf)) if is_key(leaf) else None


def least_of_processes(array: np.ndarray) -> np.ndarray:
    """The elementwise minimum over all processes."""
    from jax.experimental import multihost_utils

    return np.min(multihost_utils.process_allgather(array), axis=0)


def of_process(owner: int, tree: Any) -> Any:
    """Broadcast a tree of arrays from the process ``owner`` to all processes."""
    from jax.experimental import multihost_utils

    is_source = jax.process_index() == owner
    shared = multihost_utils.broadcast_one_to_all(tree, is_source=is_source)
    return jax.tree.map(np.asarray, shared)

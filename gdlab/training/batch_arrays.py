"""The conversion of batches of any library to trees of NumPy arrays."""

import sys
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def batch_arrays(batch: Any, name: str) -> Any:
    """Convert a batch to a tree of NumPy arrays, in the dtypes in which JAX holds them.

    Args:
        batch: a tree of arrays, of PyTorch tensors, or of anything that NumPy can convert to an
            array. Mappings that are not pytrees become dictionaries.
        name: the name of the batch in error messages.

    Raises:
        TypeError: if a leaf is not an array of numbers, or numbers are in a list instead of an
            array.
    """

    def convert(path: Any, leaf: Any) -> Any:
        place = name + jax.tree_util.keystr(path)
        if isinstance(leaf, Mapping):
            return batch_arrays(dict(leaf), place)
        if isinstance(leaf, list):
            raise TypeError(
                f"{place} is a list of {len(leaf)} numbers: let the loader make an array of it"
            )
        array = _array(leaf, place)
        if not (array.dtype == bool or jnp.issubdtype(array.dtype, np.number)):
            raise TypeError(
                f"{place} is {_kind(leaf, array)}, which is no array of numbers: leave it out of "
                "the batches, or make it one"
            )
        return array.astype(jax.dtypes.canonicalize_dtype(array.dtype), copy=False)

    return jax.tree_util.tree_map_with_path(convert, batch, is_leaf=_is_list_of_numbers)


def _is_list_of_numbers(node: Any) -> bool:
    return isinstance(node, list) and node != [] and all(type(x) in (int, float) for x in node)


def _array(leaf: Any, place: str) -> np.ndarray:
    torch = sys.modules.get("torch")
    try:
        if torch is not None and isinstance(leaf, torch.Tensor):
            return _array_of_tensor(torch, leaf)
        return np.asarray(leaf)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{place} is a {type(leaf).__name__} of which no array can be made: {error}"
        ) from error


def _array_of_tensor(torch: Any, tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    name = str(tensor.dtype).removeprefix("torch.")
    if name.startswith(("bfloat16", "float8")):
        # PyTorch cannot convert these dtypes to NumPy's; ml_dtypes has them under the same names.
        octets = tensor.flatten().contiguous().view(torch.uint8).numpy()
        return octets.view(getattr(jnp, name)).reshape(tuple(tensor.shape))
    return tensor.numpy()


def _kind(leaf: Any, array: np.ndarray) -> str:
    kind = f"a {type(leaf).__name__}"
    return kind if array.dtype == object else f"{kind} of dtype {array.dtype}"

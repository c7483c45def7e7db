"""Tensors as arrays of NumPy, and arrays as tensors."""

import sys

import numpy as np

from gdlab.checks.values import shortened
from gdlab.core.structure import Value


def as_array(value: Value) -> np.ndarray:
    """A copy as an array of NumPy, of a dtype that it computes with.

    Raises:
        TypeError: if it holds no numbers.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    array = np.array(value)
    if array.dtype.kind in "USO":
        raise TypeError(f"a tensor or an array of numbers is needed, not {shortened(value)}")
    return array if array.dtype.kind in "biufc" else array.astype(np.float32)


def as_tensor(array: np.ndarray) -> Value:
    """A tensor, where torch is there."""
    torch = sys.modules.get("torch")
    return as_array(array) if torch is None else torch.from_numpy(as_array(array))

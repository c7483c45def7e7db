"""The ``repr`` of arguments: Python source that makes them."""

import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def represent(value: Any) -> str:
    """Python source of an argument: evaluated with gdlab's names, it returns the argument."""
    if isinstance(value, Tracer):
        return f"<traced {value.aval.str_short()}>"
    if isinstance(value, np.ndarray | jax.Array):
        return represent_array(value)
    if isinstance(value, dict):
        items = (f"{name!r}: {represent(item)}" for name, item in value.items())
        return "{" + ", ".join(items) + "}"
    if type(value) in (list, tuple):
        items = [represent(item) for item in value]
        if isinstance(value, list):
            return f"[{', '.join(items)}]"
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__qualname__
    return repr(value)


def described(value: Any) -> str:
    """The ``repr`` of an optimizer for messages, without traced numbers."""
    without_traced_options = re.sub(r", \w+=<traced [^>]*>", "", repr(value))
    return re.sub(r"<traced [^>]*>", "…", without_traced_options)


def represent_array(value: Any) -> str:
    """Python source of an array: a call of :func:`gdlab.array`, or of ``jax.random`` for a key."""
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        data, implementation = jax.random.key_data(value), str(jax.random.key_impl(value))
        return f"jax.random.wrap_key_data({represent_array(data)}, impl={implementation!r})"
    values = np.asarray(value)
    return f"array({_nested(values)}, {values.dtype.name!r})"


def as_written(values: Any) -> np.ndarray:
    """Convert numbers to float64 by their shortest decimal form in their own dtype.

    The float32 of 0.1 becomes 0.1, not 0.10000000149011612.
    """
    values = np.asarray(values)
    if values.dtype.itemsize >= np.dtype(np.float64).itemsize:
        return values
    return np.array([float(str(value)) for value in values.ravel()]).reshape(values.shape)


def _nested(values: np.ndarray) -> str:
    if values.ndim == 0:
        # NumPy writes the fewest digits from which the dtype restores the number.
        return str(values) if np.isfinite(values) else represent(float(values))
    return f"[{', '.join(map(_nested, values))}]"


def in_words(name: str) -> str:
    """A name as in running text, with spaces in place of underscores."""
    return name.replace("_", " ")

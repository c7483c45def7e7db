"""Arguments written as the code that would make them."""

import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def represent(value: Any) -> str:
    """Python source for an argument of a factory: ``eval`` with gdlab's names gives it back."""
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
    """An optimizer as messages name it: as it is written, without numbers that are traced."""
    without_traced_options = re.sub(r", \w+=<traced [^>]*>", "", repr(value))
    return re.sub(r"<traced [^>]*>", "…", without_traced_options)


def represent_array(value: Any) -> str:
    """An array as a call of :func:`gdlab.array`, or a key as one of JAX's that makes it."""
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        data, implementation = jax.random.key_data(value), str(jax.random.key_impl(value))
        return f"jax.random.wrap_key_data({represent_array(data)}, impl={implementation!r})"
    values = np.asarray(value)
    return f"array({_nested(values)}, {values.dtype.name!r})"


def as_written(values: Any) -> np.ndarray:
    """The same numbers in float64, with as few decimal digits as their own dtype tells apart.

    A float32 that was written as 0.1 is 0.1 again, and not 0.10000000149011612.
    """
    values = np.asarray(values)
    if values.dtype.itemsize >= np.dtype(np.float64).itemsize:
        return values
    return np.array([float(str(value)) for value in values.ravel()]).reshape(values.shape)


def _nested(values: np.ndarray) -> str:
    if values.ndim == 0:
        # As many digits as its dtype needs to come back.
        return str(values) if np.isfinite(values) else represent(float(values))
    return f"[{', '.join(map(_nested, values))}]"


def in_words(name: str) -> str:
    """A name as one would write it in a text: without underscores."""
    return name.replace("_", " ")

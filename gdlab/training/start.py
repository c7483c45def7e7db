"""The check that initial parameters can be differentiated."""

from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.numerics import is_inexact, strong
from gdlab.core.structure import leaves_with_paths


def differentiable(params: Any, argument: str) -> Any:
    """Convert initial parameters to arrays, and refuse leaves that have no gradient.

    Args:
        params: a tree of numbers and arrays.
        argument: the name of the argument, for messages.

    Raises:
        TypeError: if a leaf is not an array of floating-point or complex numbers.
        ValueError: if there is no leaf.
    """
    if not jax.tree.leaves(params):
        raise ValueError(f"{argument} has no arrays, so there is nothing to train")
    for path, leaf in leaves_with_paths(params):
        where = f"{argument} at {path!r}" if path else argument
        try:
            array = None if leaf is None else jnp.asarray(leaf)
        except TypeError:
            raise TypeError(f"{where} is {_kind_of(leaf)}, not an array: {_advice(leaf)}") from None
        if array is not None and not is_inexact(array):
            raise TypeError(
                f"{where} is {array.dtype}, which has no gradient: make it a floating-point "
                f"number, or keep it out of {argument}, in the loss"
            )
    return strong(jax.tree.map(jnp.asarray, params))


def _kind_of(leaf: Any) -> str:
    if isinstance(leaf, type):
        return f"the class {leaf.__name__}"
    return "a function" if callable(leaf) else f"of the type {type(leaf).__name__}"


def _advice(leaf: Any) -> str:
    if isinstance(leaf, type):
        return "give an instance"
    if callable(leaf):
        return "give what it returns; only sweeps take init(key)"
    return "keep it out of the parameters, in the loss"

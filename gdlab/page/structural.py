"""Primitives that move numbers without changing them: JAX moves their labels."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.ir import Value
from gdlab.page.lowering import FOLDED, Lowering, avals, rule


@rule(
    "broadcast_in_dim",
    "concatenate",
    "expand_dims",
    "pad",
    "reshape",
    "rev",
    "slice",
    "split",
    "squeeze",
    "tile",
    "transpose",
)
def moved(_lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """The labels where the primitive puts them."""
    flat = np.concatenate([value.labels.ravel() for value in values])
    where = sources(equation, tuple(value.shape for value in values))
    return [
        Value(flat[index], result.dtype)
        for index, result in zip(where, avals(*equation.outvars), strict=True)
    ]


@rule("iota")
def iota(lowering: Lowering, equation: JaxprEqn, _: list[Value]) -> list[Value]:
    """0, 1, 2, …, along an axis."""
    return lowering.evaluated(equation, [])


def sources(equation: JaxprEqn, shapes: tuple[tuple[int, ...], ...]) -> list[np.ndarray]:
    """For each result, which element of all arguments in a row stands where."""
    parameters = equation.params
    try:
        return _sources(equation.primitive, tuple(sorted(parameters.items())), shapes)
    except TypeError:  # a parameter that cannot be hashed
        return _sources.__wrapped__(equation.primitive, tuple(parameters.items()), shapes)


@functools.lru_cache(maxsize=4096)
def _sources(primitive: Any, parameters: Any, shapes: tuple[tuple[int, ...], ...]) -> list[Any]:
    indices, start = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        indices.append(jnp.arange(start, start + size).reshape(shape))
        start += size
    results = primitive.bind(*indices, **dict(parameters))
    return [np.asarray(result) for result in jax.tree.leaves(results)]


FOLDED.add("iota")

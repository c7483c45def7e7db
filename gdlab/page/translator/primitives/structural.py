"""Primitives that move numbers without changing them: JAX moves their labels."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import Value
from gdlab.page.translator.lowering import Lowering, avals, rule


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
    "stack",
    "tile",
    "transpose",
    "unstack",
)
def moved(_lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """The labels, rearranged by the primitive itself."""
    shapes = tuple(aval.shape for aval in avals(*equation.invars))
    # A key has several words, which move together.
    words = values[0].shape[len(shapes[0]) :]
    flat = np.concatenate([value.labels.reshape(-1, *words) for value in values])
    where = sources(equation, shapes)
    return [Value(flat[index], values[0].dtype) for index in where]


@rule("iota", "iota_2x32_shape", folded=True)
def iota(lowering: Lowering, equation: JaxprEqn, _: list[Value]) -> list[Value]:
    """0, 1, 2, …, along an axis."""
    return lowering.evaluated(equation, [])


@rule("empty2")
def empty(lowering: Lowering, equation: JaxprEqn, _: list[Value]) -> Value:
    """Zeros that are never read, in place of a value that only another branch has."""
    (result,) = avals(*equation.outvars)
    return lowering.graph.constant(np.zeros(result.shape, result.dtype))


def sources(equation: JaxprEqn, shapes: tuple[tuple[int, ...], ...]) -> list[np.ndarray]:
    """The indices of the elements of each result in the concatenation of all arguments."""
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

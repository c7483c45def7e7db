"""Primitives along axes: sums and their like, running ones, and products of matrices."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import UNROLLED, Kernel, Reduce, Value, collapse
from gdlab.page.translator.lowering import MOST_PRODUCTS, Lowering, avals, rule
from gdlab.page.translator.operations import expression

_COMBINE = {
    "reduce_sum": "add",
    "reduce_prod": "mul",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
    "reduce_xor": "xor",
}

_RUNNING = {"cumsum": "add", "cumprod": "mul", "cummax": "max", "cummin": "min"}


@rule(*_COMBINE, folded=True)
def reduced(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """All elements along some axes, combined in order."""
    (value,) = values
    axes = equation.params["axes"]
    outer = [axis for axis in range(value.labels.ndim) if axis not in axes]
    labels = value.labels.transpose(*outer, *axes)
    shape = labels.shape[: len(outer)]
    operation = _COMBINE[equation.primitive.name]
    return combined(lowering, operation, [Value(labels, value.dtype)], shape)


@rule("reduce")
def reduced_together(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """Arrays of one shape, combined along some axes by a function of all of them, in order."""
    half = len(values) // 2
    arrays, starts = values[:half], values[half:]
    axes = equation.params["dimensions"]
    if arrays[0].labels.size > UNROLLED:
        raise lowering.unsupported(equation, "of many numbers together is not translated")
    outer = [axis for axis in range(arrays[0].labels.ndim) if axis not in axes]
    shape = tuple(arrays[0].shape[axis] for axis in outer)
    made = [np.empty(shape, start.labels.dtype) for start in starts]
    for place in np.ndindex(*shape):
        rows = [array.labels.transpose(*outer, *axes)[place].ravel() for array in arrays]
        total = starts
        for column in zip(*rows, strict=True):
            terms = [
                Value(np.asarray(x), array.dtype) for x, array in zip(column, arrays, strict=True)
            ]
            total = lowering.closed(equation.params["jaxpr"], [*total, *terms])
        for labels, one in zip(made, total, strict=True):
            labels[place] = one.labels
    return [Value(labels, start.dtype) for labels, start in zip(made, starts, strict=True)]


def combined(
    lowering: Lowering, operation: str, values: list[Value], outer: tuple[int, ...]
) -> Value:
    """A value, or the product of two, combined along the axes that follow the outer ones."""
    graph = lowering.graph
    shape, dtype = values[0].shape, values[0].dtype
    inner = shape[len(outer) :]
    start = graph.constant(np.asarray(_start(operation, dtype), dtype))
    size, count = int(np.prod(outer)), int(np.prod(inner))
    if size * count <= graph.unrolled:
        terms = values[0] if len(values) == 1 else lowering.elementwise("mul", *values)
        columns = terms.labels.reshape(size, count)
        total = start.labels if not count else columns[:, 0]
        for column in columns.T[1:]:
            total = lowering.elementwise(
                operation, Value(np.asarray(total), dtype), Value(column, dtype)
            ).labels
        return Value(np.broadcast_to(total, (size,)).reshape(outer), dtype)
    accesses = [graph.access(value) for value in values]
    outers, inners, accesses = collapse(shape, accesses, len(outer))
    target = graph.buffer(size, dtype)
    graph.block.statements.append(
        Reduce(target, outers, inners, operation, tuple(accesses), int(start.labels), dtype)
    )
    return Value(target.labels.reshape(outer), dtype)


def _start(operation: str, dtype: np.dtype) -> object:
    if operation in ("max", "min"):
        if dtype.kind == "f":
            return -np.inf if operation == "max" else np.inf
        if dtype.kind == "b":
            return operation == "min"
        return np.iinfo(dtype).min if operation == "max" else np.iinfo(dtype).max
    if operation == "and":
        return True if dtype.kind == "b" else np.array(-1).astype(dtype)
    return 1 if operation == "mul" else 0


@rule("dot_general", folded=True)
def dot_general(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """Products summed along shared axes, as in a product of matrices."""
    (contract, batch), (left, right) = equation.params["dimension_numbers"], values
    (result,) = avals(*equation.outvars)
    dtype = np.dtype(result.dtype)

    def arranged(value: Value, summed: tuple[int, ...], shared: tuple[int, ...]) -> np.ndarray:
        free = [axis for axis in range(value.labels.ndim) if axis not in (*summed, *shared)]
        labels = value.labels.transpose(*shared, *free, *summed)
        sizes = [np.prod(labels.shape[a:b], dtype=int) for a, b in _cuts(shared, free, summed)]
        return labels.reshape(sizes)

    one, other = (
        arranged(left, contract[0], batch[0]),
        arranged(right, contract[1], batch[1]),
    )
    shape = (one.shape[0], one.shape[1], other.shape[1], one.shape[2])
    if math.prod(shape) > MOST_PRODUCTS:
        count = f"takes {math.prod(shape)} products"
        raise lowering.too_large(equation, count, MOST_PRODUCTS)
    factors = [
        Value(np.broadcast_to(one[:, :, None, :], shape), dtype),
        Value(np.broadcast_to(other[:, None, :, :], shape), dtype),
    ]
    total = combined(lowering, "add", factors, shape[:3])
    return Value(total.labels.reshape(result.shape), dtype)


def _cuts(*groups: Sequence[int]) -> list[tuple[int, int]]:
    ends = np.cumsum([0, *map(len, groups)]).tolist()
    return list(itertools.pairwise(ends))


@rule(*_RUNNING, folded=True)
def running(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """A running reduction along an axis, such as a cumulative sum."""
    (value,) = values
    operation = _RUNNING[equation.primitive.name]
    lines = np.moveaxis(value.labels, equation.params["axis"], -1)
    lines = lines[..., ::-1] if equation.params["reverse"] else lines
    if lowering.graph.is_small(value):
        columns = [lines[..., :1]]
        for index in range(1, lines.shape[-1]):
            pair = (
                Value(part, value.dtype) for part in (columns[-1], lines[..., index : index + 1])
            )
            columns.append(lowering.elementwise(operation, *pair).labels)
        made = np.concatenate(columns, -1)
    else:
        (made,) = kernel(
            lowering,
            "running",
            [Value(lines, value.dtype)],
            [value.dtype],
            [lines.shape],
            (lines.shape[-1], f"(a,b)=>{expression(operation, value.dtype, ['a', 'b'], ())}"),
        )
    made = made[..., ::-1] if equation.params["reverse"] else made
    return Value(np.moveaxis(made, -1, equation.params["axis"]), value.dtype)


@rule("argmax", "argmin", folded=True)
def extremum(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The position of the first largest or smallest element along an axis; NaN comes before all."""
    (value,) = values
    (axis,) = equation.params["axes"]
    lines = np.moveaxis(value.labels, axis, -1)
    dtype = np.dtype(equation.params["index_dtype"])
    static = (lines.shape[-1], 1 if equation.primitive.name == "argmax" else -1)
    place = np.dtype(np.int32)
    (made,) = kernel(
        lowering, "extremum", [Value(lines, value.dtype)], [place], [lines.shape[:-1]], static
    )
    return lowering.converted(Value(made, place), dtype)


@rule("top_k", folded=True)
def top_k(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """The largest elements along an axis, in descending order, and where they stand."""
    (value,) = values
    axis, count = equation.params["axis"], equation.params["k"]
    lines = Value(np.moveaxis(value.labels, axis, -1), value.dtype)
    shape = (*lines.shape[:-1], count)
    dtypes = [value.dtype, np.dtype(np.int32)]
    made = kernel(lowering, "largest", [lines], dtypes, [shape] * 2, (lines.shape[-1], count))
    numbers, places = (np.moveaxis(labels, -1, axis) for labels in made)
    dtype = np.dtype(avals(*equation.outvars)[1].dtype)
    return [Value(numbers, value.dtype), lowering.converted(Value(places, dtypes[1]), dtype)]


@rule("sort", folded=True)
def sort(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """Arrays sorted along an axis by the first of them; equal elements keep their order."""
    if equation.params["num_keys"] != 1:
        raise lowering.unsupported(equation, "by more than one key is not translated")
    axis = equation.params["dimension"]
    moved = [Value(np.moveaxis(value.labels, axis, -1), value.dtype) for value in values]
    shapes, dtypes = [value.shape for value in moved], [value.dtype for value in moved]
    made = kernel(lowering, "sort", moved, dtypes, shapes, (moved[0].shape[-1],))
    return [
        Value(np.moveaxis(labels, -1, axis), dtype)
        for labels, dtype in zip(made, dtypes, strict=True)
    ]


def kernel(
    lowering: Lowering,
    helper: str,
    values: Sequence[Value],
    dtypes: Sequence[np.dtype],
    shapes: Sequence[tuple[int, ...]],
    static: tuple[Any, ...] = (),
) -> list[np.ndarray]:
    """The labels of the outputs of a helper function on whole arrays."""
    graph = lowering.graph
    inputs = tuple(graph.contiguous(value) for value in values)
    outputs = tuple(
        graph.buffer(int(np.prod(shape)), dtype)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    )
    graph.block.statements.append(Kernel(helper, inputs, outputs, static))
    return [buffer.labels.reshape(shape) for buffer, shape in zip(outputs, shapes, strict=True)]

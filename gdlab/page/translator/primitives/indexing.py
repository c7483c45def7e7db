"""Primitives whose positions are computed: dynamic slices, gather and scatter.

Where the positions are constants, JAX moves the labels; otherwise an element is loaded from a
buffer at an address that is arithmetic like any other.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import Scatter, Value, collapse
from gdlab.page.translator.lowering import Lowering, avals, rule

_INDEX = np.dtype(np.int32)
"""The dtype of positions in buffers: 32 bits, so that they are JavaScript numbers, not BigInts."""

_UPDATES = {
    "scatter": "copy",
    "scatter-add": "add",
    "scatter-mul": "mul",
    "scatter-min": "min",
    "scatter-max": "max",
}


@rule("dynamic_slice", folded=True)
def dynamic_slice(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """A window with a computed start, moved inside the array if it would stick out."""
    operand, *starts = values
    sizes = equation.params["slice_sizes"]
    for start, length, size in zip(starts, operand.shape, sizes, strict=True):
        index = lowering.graph.known(start)
        if index is not None and not 0 <= index <= length - size:
            raise lowering.out_of_bounds(equation, int(index), length)
    base = _window_address(lowering, operand.shape, sizes, starts)
    offsets = _positions(operand.shape)[tuple(slice(size) for size in sizes)]
    return _loaded(lowering, operand, _plus(lowering, base, offsets))


@rule("dynamic_update_slice", folded=True)
def dynamic_update_slice(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """An array with a window at a computed start overwritten."""
    operand, update, *starts = values
    base = _window_address(lowering, operand.shape, update.shape, starts)
    offsets = _positions(operand.shape)[tuple(slice(size) for size in update.shape)]
    return _stored(lowering, operand, _plus(lowering, base, offsets), update, "copy")


@rule("gather", folded=True)
def gather(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """Windows at many starts."""
    operand, indices = values
    parameters = equation.params
    numbers, sizes = parameters["dimension_numbers"], parameters["slice_sizes"]
    (result,) = avals(*equation.outvars)
    shape = result.shape
    # JAX itself computes the positions of the windows for starts of 0.
    origin = equation.primitive.bind(
        jnp.asarray(_positions(operand.shape)),
        jnp.zeros(indices.shape, jnp.int64),
        **{**parameters, "mode": lax.GatherScatterMode.CLIP, "fill_value": None},
    )
    batch = [axis for axis in range(len(shape)) if axis not in numbers.offset_dims]
    starts = [
        Value(_spread(indices.labels[..., k], batch, len(shape)), indices.dtype)
        for k in range(len(numbers.start_index_map))
    ]
    room = [operand.shape[d] - sizes[d] for d in numbers.start_index_map]
    strides = [_stride(operand.shape, d) for d in numbers.start_index_map]
    base, inside = _start_address(lowering, starts, room, strides)
    loaded = _loaded(lowering, operand, _plus(lowering, base, np.asarray(origin)))
    mode = lax.GatherScatterMode.from_any(parameters["mode"])
    if mode != lax.GatherScatterMode.FILL_OR_DROP or inside is None:
        return loaded
    fill = parameters["fill_value"]
    if fill is None:
        unsigned = operand.dtype.kind == "u"
        limit = None if operand.dtype.kind in "fb" else np.iinfo(operand.dtype)
        fill = np.nan if limit is None else limit.max if unsigned else limit.min
        fill = True if operand.dtype.kind == "b" else fill
    outside = lowering.constant(fill, operand.dtype)
    return lowering.elementwise("select", inside, loaded, outside, dtype=operand.dtype)


@rule(*_UPDATES, folded=True)
def scatter(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """An array with windows at many starts overwritten or combined with new values."""
    operand, indices, updates = values
    numbers = equation.params["dimension_numbers"]
    window = numbers.update_window_dims
    batch = [axis for axis in range(updates.labels.ndim) if axis not in window]
    fixed = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    free = [axis for axis in range(operand.labels.ndim) if axis not in fixed]
    sizes = [1] * operand.labels.ndim
    offsets = np.zeros(updates.shape, np.int64)
    for axis, dimension in zip(window, free, strict=True):
        sizes[dimension] = updates.shape[axis]
        offsets += _along(updates.shape, axis) * _stride(operand.shape, dimension)
    for dimension, index_axis in zip(
        numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True
    ):
        offsets += _along(updates.shape, batch[index_axis]) * _stride(operand.shape, dimension)
    dimensions = numbers.scatter_dims_to_operand_dims
    starts = [
        Value(_spread(indices.labels[..., k], batch, updates.labels.ndim), indices.dtype)
        for k in range(len(dimensions))
    ]
    room = [operand.shape[d] - sizes[d] for d in dimensions]
    strides = [_stride(operand.shape, d) for d in dimensions]
    base, inside = _start_address(lowering, starts, room, strides)
    addresses = _plus(lowering, base, offsets)
    mode = lax.GatherScatterMode.from_any(equation.params["mode"])
    if mode == lax.GatherScatterMode.FILL_OR_DROP and inside is not None:
        nowhere = lowering.constant(-1, _INDEX)
        addresses = lowering.elementwise("select", inside, addresses, nowhere, dtype=_INDEX)
    return _stored(lowering, operand, addresses, updates, _UPDATES[equation.primitive.name])


def _positions(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape))).reshape(shape)


def _stride(shape: tuple[int, ...], axis: int) -> int:
    return int(np.prod(shape[axis + 1 :]))


def _along(shape: tuple[int, ...], axis: int) -> np.ndarray:
    return np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])


def _spread(labels: np.ndarray, axes: list[int], ndim: int) -> np.ndarray:
    """Labels of batch dimensions, broadcast to all dimensions."""
    shape = [1] * ndim
    for axis, length in zip(axes, labels.shape, strict=True):
        shape[axis] = length
    return labels.reshape(shape)


def _plus(lowering: Lowering, base: Value, offsets: np.ndarray) -> Value:
    """Addresses in a buffer, as constants where they are known."""
    known = lowering.graph.known(base)
    if known is not None:
        return lowering.graph.constant(known + offsets, _INDEX)
    if not offsets.any():
        return Value(
            np.broadcast_to(base.labels, np.broadcast_shapes(base.shape, offsets.shape)), _INDEX
        )
    return lowering.elementwise("add", base, lowering.graph.constant(offsets, _INDEX))


def _start_address(
    lowering: Lowering, starts: list[Value], room: list[int], strides: list[int]
) -> tuple[Value, Value | None]:
    """The addresses of windows' first elements, moved inside, and a mask of those inside before.

    Starts that are constants give constants; if all windows are inside, there is no second value.
    """
    graph = lowering.graph
    address: Value | None = None
    inside: Value | None = None
    for start, most, stride in zip(starts, room, strides, strict=True):
        held = start
        known = graph.known(start)
        if known is None or not ((known >= 0) & (known <= most)).all():
            held = lowering.elementwise("max", start, lowering.constant(0, start.dtype))
            held = lowering.elementwise("min", held, lowering.constant(most, start.dtype))
            fits = lowering.elementwise("eq", held, start, dtype=np.bool_)
            inside = fits if inside is None else lowering.elementwise("and", inside, fits)
        held = lowering.converted(held, _INDEX)
        part = lowering.elementwise("mul", held, lowering.constant(stride, _INDEX))
        address = part if address is None else lowering.elementwise("add", address, part)
    return graph.constant(0, _INDEX) if address is None else address, inside


def _window_address(
    lowering: Lowering, shape: tuple[int, ...], sizes: Any, starts: list[Value]
) -> Value:
    room = [length - size for length, size in zip(shape, sizes, strict=True)]
    strides = [_stride(shape, axis) for axis in range(len(shape))]
    return _start_address(lowering, starts, room, strides)[0]


def _loaded(lowering: Lowering, operand: Value, addresses: Value) -> Value:
    """The elements of an array at some addresses."""
    known = lowering.graph.known(addresses)
    if known is not None:
        return Value(operand.labels.ravel()[known], operand.dtype)
    if operand.labels.size == 1:
        return Value(np.broadcast_to(operand.labels.ravel(), addresses.shape), operand.dtype)
    buffer = lowering.graph.contiguous(operand)
    return lowering.graph.elementwise("load", [addresses], operand.dtype, (buffer,))


def _stored(
    lowering: Lowering, operand: Value, addresses: Value, updates: Value, operation: str
) -> Value:
    """An array with some elements combined with others."""
    graph = lowering.graph
    known = graph.known(addresses)
    addresses = Value(np.broadcast_to(addresses.labels, updates.shape), _INDEX)
    if known is not None and graph.is_small(operand) and graph.is_small(updates):
        labels = operand.labels.ravel().copy()
        where = np.broadcast_to(known, updates.shape).ravel()
        for address, label in zip(where.tolist(), updates.labels.ravel().tolist(), strict=True):
            if address < 0:
                continue
            old, new = (Value(np.asarray(one), operand.dtype) for one in (labels[address], label))
            labels[address] = (
                label if operation == "copy" else lowering.elementwise(operation, old, new).labels
            )
        return Value(labels.reshape(operand.shape), operand.dtype)
    if not updates.labels.size:
        return operand
    target = graph.buffer(operand.labels.size, operand.dtype)
    graph.copy(operand, target)
    accesses = [graph.access(addresses), graph.access(updates)]
    _, shape, (into, what) = collapse(updates.shape, accesses)
    graph.block.statements.append(Scatter(target, shape, into, what, operation, operand.dtype))
    return Value(target.labels.reshape(operand.shape), operand.dtype)
